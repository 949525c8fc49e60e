// Plays the recording where it lies, at the claim: by hls.js, by the browser itself, else the clip.
const player = document.querySelector('#replay');
const { playlist, clip } = player.dataset;

function wall(at) {
  document.querySelector('#wall').value = at ? `${at.toISOString().slice(0, 19).replace('T', ' ')} UTC` : '';
}

if (globalThis.Hls?.isSupported()) {
  const hls = new Hls({ enableWorker: false, maxBufferLength: 20 });
  hls.on(Hls.Events.ERROR, (_, data) => {
    if (!data.fatal) return;
    document.querySelector('#said').value = data.details;
    hls.destroy();
    player.src = clip;
  });
  player.addEventListener('timeupdate', () => wall(hls.playingDate));
  hls.loadSource(playlist);
  hls.attachMedia(player);
} else {
  player.src = player.canPlayType('application/vnd.apple.mpegurl') ? playlist : clip;
}
