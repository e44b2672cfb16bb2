// Reads the part of a page that changes by itself again, as long as somebody can see it and is not at work in it.
"use strict";
(() => {
  const pause = document.getElementById("live-pause");
  const lost = document.getElementById("live-lost");
  const news = document.getElementById("live-news");
  const asOf = document.getElementById("as-of-time");
  const part = () => document.getElementById("live");
  if (!part()) return;

  const isPaused = () => pause.getAttribute("aria-pressed") === "true";
  const isAtWork = () => {
    const selection = document.getSelection();
    return part().contains(document.activeElement) ||
      (selection && !selection.isCollapsed && part().contains(selection.anchorNode));
  };

  function show(text) {
    const answer = new DOMParser().parseFromString(text, "text/html");
    const found = answer.getElementById("live");
    // Mode and halts stand outside the part. What is the same stays, so that no screen reader says it again.
    for (const id of ["live", "live-band", "live-halts"]) {
      const old = document.getElementById(id), now = answer.getElementById(id);
      if (old && now && old.outerHTML !== now.outerHTML) old.replaceWith(document.adoptNode(now));
    }
    // A screen reader is told what is new in a line, not every table again.
    if (news.textContent !== found.dataset.news) news.textContent = found.dataset.news;
  }

  async function look() {
    if (document.hidden || isPaused() || isAtWork()) return;
    try {
      const answer = await fetch(location.href, {
        headers: { "X-Strades-Part": "live", "If-None-Match": part().dataset.version },
        redirect: "manual",
        signal: AbortSignal.timeout(10000),
      });
      // Signed out, or without the right any more: the page itself says so.
      if (answer.type === "opaqueredirect" || answer.status === 403) return location.reload();
      lost.hidden = answer.ok || answer.status === 304;
      const time = answer.headers.get("X-Strades-As-Of");
      if (time) asOf.textContent = decodeURIComponent(time);
      if (answer.ok && !isAtWork()) show(await answer.text());
    } catch {
      lost.hidden = false;
    }
  }

  pause.hidden = false;
  pause.addEventListener("click", () => {
    pause.setAttribute("aria-pressed", String(!isPaused()));
    look();
  });
  document.addEventListener("visibilitychange", look);
  setInterval(look, Number(pause.dataset.seconds) * 1000);
})();
