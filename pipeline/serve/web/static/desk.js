// The player's keys, the words and clocks that follow it, and results that change in place.
// Every page also works without this file.
const FRAME_S = 0.04;
const PAUSE_MS = 300;

function written(ms) {
  const s = Math.floor(ms / 1000);
  const two = n => String(n).padStart(2, '0');
  return `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}.${String(ms % 1000).padStart(3, '0')}`;
}

// --- the player -------------------------------------------------------------------------------

const player = document.querySelector('#player');
const lines = [...document.querySelectorAll('.lines li')];
const marks = { from: null, to: null };

function atMs() {
  return Number(player.dataset.startMs) + Math.round(player.currentTime * 1000);
}

function follow() {
  const now = atMs();
  document.querySelector('#clock').value = written(now);
  if (player.dataset.wallMs) {
    const wall = new Date(Number(player.dataset.wallMs) + Math.round(player.currentTime * 1000));
    document.querySelector('#wall').value = wall.toISOString().slice(0, 19).replace('T', ' ');
  }
  for (const line of lines) {
    line.classList.toggle('now', line.dataset.startMs <= now && now < line.dataset.endMs);
  }
  const head = document.querySelector('#playhead');
  if (head) {
    const share = (now - Number(head.dataset.fromMs)) / Number(head.dataset.lengthMs);
    const x = (120 + 880 * share).toFixed(1);
    head.setAttribute('x1', x);
    head.setAttribute('x2', x);
  }
}

function mark(side) {
  marks[side] = atMs();
  const link = document.querySelector('#marked');
  link.hidden = marks.from === null || marks.to === null || marks.from >= marks.to;
  link.href = `/s/${marks.from}-${marks.to}-r${link.dataset.release}/${link.dataset.broadcast}`;
  said(`${written(marks.from ?? 0)} – ${marks.to === null ? '' : written(marks.to)}`);
}

function toTheClaim() {
  player.currentTime = (Number(player.dataset.claimMs) - Number(player.dataset.startMs)) / 1000;
}

if (player) {
  // A clip that came fast has told its length before this file is read.
  if (player.readyState >= HTMLMediaElement.HAVE_METADATA) toTheClaim();
  else player.addEventListener('loadedmetadata', toTheClaim, { once: true });
  player.addEventListener('timeupdate', follow);
  document.querySelector('#speed').addEventListener('change', event => {
    player.playbackRate = Number(event.target.value);
  });
  document.querySelector('#mark-in')?.addEventListener('click', () => mark('from'));
  document.querySelector('#mark-out')?.addEventListener('click', () => mark('to'));
  for (const line of lines) {
    line.addEventListener('click', event => {
      if (event.target.closest('a')) return;
      player.currentTime = Math.max(0, (line.dataset.startMs - player.dataset.startMs) / 1000);
    });
  }
}

for (const name of ['back-frame', 'on-frame']) {
  document.querySelector(`#${name}`)?.addEventListener('click', () => {
    player.currentTime += name === 'back-frame' ? -FRAME_S : FRAME_S;
  });
}

// --- the timeline: what is under the pointer, and the pictures of that time -------------------

const lanes = document.querySelector('.lanes');
const strip = document.querySelector('#strip');
const pictures = (strip?.dataset.frames ?? '').split(' ').filter(Boolean).map(pair => pair.split(':').map(Number));

function picturesAt(ms) {
  const after = pictures.findIndex(([, at]) => at > ms);
  const here = (after < 0 ? pictures.length : after) - 1;
  const shown = pictures.slice(Math.max(0, here - 1), Math.max(0, here - 1) + 4);
  const wanted = shown.map(([number]) => number).join(' ');
  if (!shown.length || strip.dataset.shown === wanted) return;
  strip.dataset.shown = wanted;
  strip.replaceChildren(...shown.map(([number, at]) => {
    const image = new Image(160);
    image.src = `/api/v1/broadcasts/${strip.dataset.broadcast}/keyframes/${number}.jpg`;
    image.alt = written(at);
    image.title = written(at);
    return image;
  }));
}

for (const dot of document.querySelectorAll('.lanes a')) {
  const tell = () => {
    said(dot.getAttribute('aria-label'));
    if (pictures.length) picturesAt(Number(dot.dataset.atMs));
  };
  dot.addEventListener('pointerenter', tell);
  dot.addEventListener('focus', tell);
}

if (lanes && pictures.length) {
  lanes.addEventListener('pointermove', event => {
    const box = lanes.getBoundingClientRect();
    const share = ((event.clientX - box.left) / box.width * 1000 - 120) / 880;
    if (share >= 0) picturesAt(Number(strip.dataset.fromMs) + share * Number(strip.dataset.lengthMs));
  });
}

// --- links ------------------------------------------------------------------------------------

function said(text) {
  const place = document.querySelector('#said');
  if (place) place.value = text;
}

async function copy(button) {
  const address = new URL(button.dataset.copy, location.href).href;
  try {
    await navigator.clipboard.writeText(address);
    said(`✓ ${address}`);
  } catch {
    said(address); // no clipboard without HTTPS: the address can be copied by hand
  }
}

document.querySelector('[data-copy]')?.addEventListener('click', event => copy(event.target));

// --- results that change in place -------------------------------------------------------------

let asked = 0;

async function show(address, { push = true } = {}) {
  const mine = ++asked;
  const response = await fetch(address, { headers: { Accept: 'text/html' } });
  if (response.redirected || !response.ok) {
    location.assign(address);
    return;
  }
  const found = new DOMParser().parseFromString(await response.text(), 'text/html');
  if (mine !== asked) return; // a later question was asked meanwhile
  document.querySelector('#main').replaceWith(found.querySelector('#main'));
  if (push) history.pushState({ results: true }, '', address);
}

if (document.querySelector('#main[data-page="search"]')) {
  const box = document.querySelector('#q');
  let pause = 0;
  history.replaceState({ results: true }, '');
  document.addEventListener('click', event => {
    const link = event.target.closest('#main aside a, #main a[rel="next"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey || event.button) return;
    event.preventDefault();
    box.value = new URL(link.href).searchParams.get('q') ?? '';
    show(link.href);
  });
  box.addEventListener('input', () => {
    clearTimeout(pause);
    pause = setTimeout(() => show(`/?${new URLSearchParams({ q: box.value })}`), PAUSE_MS);
  });
  addEventListener('popstate', () => {
    box.value = new URL(location.href).searchParams.get('q') ?? '';
    show(location.href, { push: false });
  });
}

// --- keys -------------------------------------------------------------------------------------

const keys = {
  '/': () => document.querySelector('#q')?.focus(),
  ' ': () => player && (player.paused ? player.play() : player.pause()),
  ',': () => player && (player.currentTime -= FRAME_S),
  '.': () => player && (player.currentTime += FRAME_S),
  n: () => document.querySelector('#after, a[rel="next"]')?.click(),
  p: () => document.querySelector('#before')?.click(),
  i: () => document.querySelector('#mark-in')?.click(),
  o: () => document.querySelector('#mark-out')?.click(),
  c: () => document.querySelector('[data-copy]')?.click(),
};
document.addEventListener('keydown', event => {
  const writing = event.target.closest('input, select, textarea, button, a, video');
  if (writing || event.ctrlKey || event.metaKey || event.altKey || !keys[event.key]) return;
  event.preventDefault();
  keys[event.key]();
});
