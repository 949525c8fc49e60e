// Puts the card of a claim where a page has <replay-evidence claim="…" signed="…">.
// `signed` is the url that POST /api/v1/embeds gave the page's own backend. Instead of it, `from`
// may name an address of that backend, which answers ?claim=… with {"url": "…"} when it is shown.
(() => {
  const desk = new URL(document.currentScript.src).origin;

  async function asked(from, claim) {
    const address = new URL(from, document.baseURI);
    address.searchParams.set('claim', claim);
    const answer = await fetch(address, { credentials: 'same-origin' });
    return answer.ok ? (await answer.json()).url : '';
  }

  class ReplayEvidence extends HTMLElement {
    async connectedCallback() {
      const claim = this.getAttribute('claim') ?? '';
      const plain = `/embed/${encodeURIComponent(claim)}`;
      const from = this.getAttribute('from');
      const signed = this.getAttribute('signed') || (from ? await asked(from, claim) : plain);
      const address = new URL(signed, desk);
      if (address.origin !== desk || address.pathname !== plain) return; // another site, another claim
      if (this.lang) address.searchParams.set('lang', this.lang.startsWith('zh') ? 'zh' : 'en');
      const frame = document.createElement('iframe');
      frame.title = 'Replay Evidence';
      frame.loading = 'lazy';
      frame.allow = 'fullscreen';
      frame.referrerPolicy = 'no-referrer';
      frame.setAttribute('sandbox', 'allow-scripts allow-same-origin allow-popups allow-popups-to-escape-sandbox');
      frame.style.cssText = 'width: 100%; height: 100%; min-height: 30rem; border: 0';
      frame.src = address.href;
      this.style.display = 'block';
      this.replaceChildren(frame);
    }
  }

  if (!customElements.get('replay-evidence')) customElements.define('replay-evidence', ReplayEvidence);
})();
