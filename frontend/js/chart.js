// Replaces a chart drawn by the server: <div data-chart="id of its JSON"> holds the picture shown without JavaScript.
// Colours are read from the theme's variables, again whenever the theme changes.
import { startCharts } from "./chart/start.js";

startCharts(document);
document.addEventListener("htmx:load", (event) => startCharts(event.target));
