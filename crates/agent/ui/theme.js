// Runs before the page is painted, so that nobody who chose dark sees a white flash. No module: those wait.
(() => {
  try {
    const chosen = localStorage.getItem('xenon-theme');
    if (chosen === 'light' || chosen === 'dark') document.documentElement.dataset.theme = chosen;
  } catch {
    // A browser that keeps nothing for pages: the system's choice is taken.
  }
})();
