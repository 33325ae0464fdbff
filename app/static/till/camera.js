// The camera as a scanner: the browser's own reader where there is one, else frames read by the server.

const LONGEST_SIDE = 640;
const PAUSE_MS = 100;
const FORMATS = ["qr_code", "pdf417", "aztec", "code_128"];

async function nativeReader() {
  if (!("BarcodeDetector" in window)) return null;
  try {
    const known = await BarcodeDetector.getSupportedFormats();
    if (!known.includes("qr_code")) return null;
    const detector = new BarcodeDetector({ formats: FORMATS.filter((format) => known.includes(format)) });
    return async (video) => (await detector.detect(video))[0]?.rawValue ?? null;
  } catch {
    return null;
  }
}

function serverReader(decodeUrl, csrfToken) {
  const canvas = document.createElement("canvas");
  return async (video) => {
    const scale = Math.min(1, LONGEST_SIDE / Math.max(video.videoWidth, video.videoHeight));
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    const picture = await new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.8));
    const answer = await fetch(decodeUrl, {
      method: "POST",
      body: picture,
      headers: { "Content-Type": "image/jpeg", "X-CSRFToken": csrfToken, "X-Requested-With": "fetch" },
    });
    if (answer.status === 401) window.location.reload();
    return answer.ok ? (await answer.json()).code : null;
  };
}

export class Camera {
  // panel: the element that holds video, close and torch buttons and the words for what can go wrong.
  constructor(panel, { onCode, words }) {
    this.panel = panel;
    this.video = panel.querySelector("video");
    this.message = panel.querySelector("[data-camera-message]");
    this.torch = panel.querySelector("[data-camera-torch]");
    this.onCode = onCode;
    this.words = words;
    this.stream = null;
    panel.querySelector("[data-camera-close]").addEventListener("click", () => this.close());
    this.torch.addEventListener("click", () => this.switchTorch());
    document.addEventListener("visibilitychange", () => document.hidden && this.close());
    window.addEventListener("pagehide", () => this.close());
  }

  get isOpen() {
    return !this.panel.hidden;
  }

  async open() {
    if (this.isOpen) return;
    this.panel.hidden = false;
    this.say("");
    if (!navigator.mediaDevices?.getUserMedia) return this.say(this.words.insecure);
    try {
      const video = { facingMode: { ideal: "environment" }, width: { ideal: 1280 }, height: { ideal: 720 } };
      const stream = await navigator.mediaDevices.getUserMedia({ video, audio: false });
      if (!this.isOpen || document.hidden) return stream.getTracks().forEach((track) => track.stop());
      this.stream = stream;
    } catch (problem) {
      return this.say(this.words[problem.name] ?? this.words.other);
    }
    this.video.srcObject = this.stream;
    await this.video.play().catch(() => undefined);
    this.offerTorch();
    return this.watch();
  }

  close() {
    this.panel.hidden = true;
    this.stream?.getTracks().forEach((track) => track.stop());
    this.stream = null;
    this.video.srcObject = null;
  }

  async watch() {
    const read = (await nativeReader()) ?? serverReader(this.panel.dataset.decode, this.panel.dataset.csrf);
    const stream = this.stream;
    while (stream && this.stream === stream) {
      const started = performance.now();
      const code = this.video.videoWidth ? await read(this.video).catch(() => null) : null;
      if (this.stream !== stream) return;
      if (code) {
        this.close();
        this.onCode(code);
        return;
      }
      const rest = Math.max(10, PAUSE_MS - (performance.now() - started));
      await new Promise((resolve) => setTimeout(resolve, rest));
    }
  }

  offerTorch() {
    const [track] = this.stream.getVideoTracks();
    this.torch.hidden = !track.getCapabilities?.().torch;
    this.torch.setAttribute("aria-pressed", "false");
  }

  async switchTorch() {
    const on = this.torch.getAttribute("aria-pressed") !== "true";
    const [track] = this.stream?.getVideoTracks() ?? [];
    await track?.applyConstraints({ advanced: [{ torch: on }] }).catch(() => undefined);
    this.torch.setAttribute("aria-pressed", String(on));
  }

  say(text) {
    this.message.textContent = text;
    this.message.hidden = !text;
    this.video.hidden = Boolean(text);
    return undefined;
  }
}
