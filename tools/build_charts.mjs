// Builds llma_assets/explorer/static/vendor/charts.min.js: the parts of ECharts that the explorer uses, in one file.
//
//   cd $(mktemp -d) && npm install echarts@6.1.0 esbuild@0.28.2
//   node PATH/tools/build_charts.mjs PATH/llma_assets/explorer/static/vendor/charts.min.js
//
// PATH = the root of the repository. The same versions give the same bytes.

import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const here = createRequire(pathToFileURL(`${process.cwd()}/package.json`));
const { buildSync } = here("esbuild");

const PARTS = `
import { init, use, graphic } from "echarts/core";
import { ScatterChart, LineChart } from "echarts/charts";
import { GridComponent, DataZoomInsideComponent, BrushComponent } from "echarts/components";
import { LabelLayout } from "echarts/features";
import { CanvasRenderer } from "echarts/renderers";
use([ScatterChart, LineChart, GridComponent, DataZoomInsideComponent, BrushComponent, LabelLayout, CanvasRenderer]);
export { init, graphic };
`;

buildSync({
  stdin: { contents: PARTS, resolveDir: process.cwd() },
  bundle: true,
  minify: true,
  format: "iife",
  globalName: "Charts",
  // The licences stand beside the file.
  legalComments: "none",
  banner: {
    js: "/* Apache ECharts 6.1.0, Apache-2.0; zrender, BSD-3-Clause: see LICENSE, NOTICE and LICENSE.zrender beside this file. */",
  },
  define: { "process.env.NODE_ENV": '"production"' },
  outfile: process.argv[2],
});
