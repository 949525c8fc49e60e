// The player's keys and the words that follow it. Every page also works without this file.
const player = document.querySelector('#player');
const lines = [...document.querySelectorAll('.lines li')];

function written(ms) {
  const s = Math.floor(ms / 1000);
  const two = n => String(n).padStart(2, '0');
  return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}.${String(ms % 1000).padStart(3, '0')}`;
}

if (player) {
  const startMs = Number(player.dataset.startMs);
  player.addEventListener('loadedmetadata', () => {
    player.currentTime = (Number(player.dataset.claimMs) - startMs) / 1000;
  }, { once: true });
  player.addEventListener('timeupdate', () => {
    const atMs = startMs + Math.round(player.currentTime * 1000);
    document.querySelector('#clock').value = written(atMs);
    for (const line of lines) {
      line.classList.toggle('now', line.dataset.startMs <= atMs && atMs < line.dataset.endMs);
    }
  });
  document.querySelector('#speed').addEventListener('change', event => {
    player.playbackRate = Number(event.target.value);
  });
  for (const line of lines) {
    line.addEventListener('click', () => {
      player.currentTime = Math.max(0, (line.dataset.startMs - startMs) / 1000);
    });
  }
}

const FRAME_S = 0.04;
const keys = {
  '/': () => document.querySelector('#q').focus(),
  ' ': () => player && (player.paused ? player.play() : player.pause()),
  ',': () => player && (player.currentTime -= FRAME_S),
  '.': () => player && (player.currentTime += FRAME_S),
  n: () => document.querySelector('#after')?.click(),
  p: () => document.querySelector('#before')?.click(),
};
document.addEventListener('keydown', event => {
  const writing = event.target.closest('input, select, textarea, button, a, video');
  if (writing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
