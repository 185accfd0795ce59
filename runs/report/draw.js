// Draws the figures of a report, and makes them as wide as the paper while it is printed.
const drawn = [];
for (const data of document.querySelectorAll("script.figure")) {
  const figure = JSON.parse(data.textContent);
  const place = document.createElement("div");
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", data.dataset.label);
  data.replaceWith(place);
  Plotly.newPlot(place, figure.data, figure.layout, { displaylogo: false, responsive: true });
  drawn.push(place);
}
const PAPER = 660; // pixels between the margins of A4
addEventListener("beforeprint", () => drawn.forEach((it) => Plotly.relayout(it, { width: PAPER })));
addEventListener("afterprint", () =>
  drawn.forEach((it) => Plotly.relayout(it, { width: null, autosize: true })));
