// Lets the till open without a connection: keeps the empty offline page with its styles and scripts, and nothing else.
// The server puts SHELL before this: {version, page, files}. No page that shows a card is ever stored.

const CACHE = `tessera-till-${SHELL.version}`;
const PATIENCE_MS = 3000;
const OURS = "X-Request-Id";

self.addEventListener("install", (event) => {
  event.waitUntil(fill().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(forgetOthers().then(() => self.clients.claim()));
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const address = new URL(request.url);
  if (request.method !== "GET" || address.origin !== self.location.origin) return;
  if (request.mode === "navigate") event.respondWith(page(request, address));
  else if (SHELL.files.includes(address.pathname)) event.respondWith(file(request, address.pathname));
});

async function fill() {
  const cache = await caches.open(CACHE);
  await Promise.all([SHELL.page, ...SHELL.files].map((path) => fetchInto(cache, path)));
}

async function fetchInto(cache, path) {
  const answer = await fetch(path, { cache: "reload", credentials: "same-origin" });
  if (!answer.ok || answer.redirected) throw new Error(`${path} cannot be kept`);
  await cache.put(path, answer);
}

async function forgetOthers() {
  const names = await caches.keys();
  await Promise.all(names.filter((name) => name.startsWith("tessera-till-") && name !== CACHE).map((name) => caches.delete(name)));
}

function within(answer) {
  return new Promise((resolve, reject) => {
    const late = setTimeout(() => reject(new Error("no answer")), PATIENCE_MS);
    answer.then(resolve, reject).finally(() => clearTimeout(late));
  });
}

async function page(request, address) {
  const kept = await caches.open(CACHE).then((cache) => cache.match(SHELL.page));
  if (kept && address.pathname === SHELL.page && address.searchParams.has("now")) return kept;
  const answer = fetch(request);
  try {
    const found = await within(answer);
    // a proxy that cannot reach the service says so itself; what the service says is shown
    return kept && found.status >= 502 && !found.headers.has(OURS) ? kept : found;
  } catch {
    return kept ?? answer;
  }
}

async function file(request, path) {
  const answer = fetch(request);
  try {
    return await within(answer);
  } catch {
    const kept = await caches.open(CACHE).then((cache) => cache.match(path));
    return kept ?? answer;
  }
}
