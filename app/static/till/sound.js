// One short high tone for done, two low ones for refused. Always beside words: shops are noisy.

let context;

function tone(frequency, startS, lengthS) {
  const oscillator = context.createOscillator();
  const gain = context.createGain();
  oscillator.frequency.value = frequency;
  oscillator.connect(gain).connect(context.destination);
  const start = context.currentTime + startS;
  gain.gain.setValueAtTime(0.0001, start);
  gain.gain.exponentialRampToValueAtTime(0.25, start + 0.01);
  gain.gain.exponentialRampToValueAtTime(0.0001, start + lengthS);
  oscillator.start(start);
  oscillator.stop(start + lengthS);
}

function play(notes, vibration) {
  navigator.vibrate?.(vibration);
  try {
    context ??= new AudioContext();
    context.resume();
    for (const [frequency, startS, lengthS] of notes) tone(frequency, startS, lengthS);
  } catch {
    // No sound device: the words and the vibration remain.
  }
}

export const playDone = () => play([[1175, 0, 0.14]], 60);
export const playRefused = () => play([[196, 0, 0.16], [196, 0.24, 0.16]], [120, 80, 120]);
