// Draws the figures of a report, and makes them fit the paper while it is printed.
const drawn = [];
for (const data of document.querySelectorAll("script.figure")) {
  const figure = JSON.parse(data.textContent);
  const place = document.createElement("div");
  place.setAttribute("role", "img");
  place.setAttribute("aria-label", data.dataset.label);
  data.replaceWith(place);
  Plotly.newPlot(place, figure.data, figure.layout, { displaylogo: false, responsive: true });
  drawn.push({ place, height: figure.layout.height });
}
const PAPER = { width: 660, height: 380 }; // pixels: between the margins of A4; two on a page
addEventListener("beforeprint", () => {
  for (const { place, height } of drawn)
    Plotly.relayout(place, { width: PAPER.width, height: Math.min(height, PAPER.height) });
});
addEventListener("afterprint", () => {
  for (const { place, height } of drawn) Plotly.relayout(place, { width: null, autosize: true, height });
});
