// Takes the place of a chart the server drew: <div data-chart="id of its JSON"> holds the picture that stands without us.
// The colours are read from the theme's own names and read again when it changes.
import { startCharts } from "./chart/start.js";

startCharts(document);
document.addEventListener("htmx:load", (event) => startCharts(event.target));
