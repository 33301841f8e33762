(() => {
  // a heat map says what stands under the pointer: cells are bytes, and each level has its word
  for (const chooser of document.querySelectorAll(".chooser")) {
    const edges = JSON.parse(chooser.dataset.edges), columns = edges.length - 1;
    for (const cells of chooser.querySelectorAll(".cells")) {
      const reading = cells.closest(".heat").nextElementSibling, picture = cells.querySelector("img");
      let levels, words, names;
      cells.addEventListener("pointermove", (event) => {
        levels ??= Uint8Array.from(atob(cells.dataset.levels), (letter) => letter.charCodeAt(0));
        words ??= JSON.parse(cells.dataset.words);
        names ??= JSON.parse(chooser.dataset[cells.dataset.rows]);
        const frame = picture.getBoundingClientRect();
        const at = (share, count) => Math.min(count - 1, Math.max(0, Math.floor(share * count)));
        const row = at((event.clientY - frame.top) / frame.height, names.length);
        const column = at((event.clientX - frame.left) / frame.width, columns);
        const first = edges[column] + 1, last = edges[column + 1];
        const steps = first === last ? `step ${last}` : `steps ${first} to ${last}`;
        reading.textContent = `${names[row]}, ${steps}: ${words[levels[row * columns + column]]}`;
      });
    }
  }
})();
