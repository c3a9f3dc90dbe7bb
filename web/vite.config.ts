import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

/** What every view of a run needs: in one file it packs better than in the many that it would be split into. */
const SHARED = new RegExp(
  [
    'src/(App|main|source|http|http_source|http_columns|http_correlation|(view|part|settings)\\.svelte)\\.',
    'src/(unowned|detailed)\\.svelte\\.',
    'src/kernel/(axis|view_state|columns|frame|format|colour|detail|affine|links|raster|series)\\.',
    'src/marks/(surface|canvas_surface|iteration_axis|stage_bar|brush|stripes|legend|triangles)\\.',
    'src/views/RunPage\\.',
    'src/views/frame/(RunFrame|Header|Icon|StateDot|NameSearch|Notices|FailureCard|ViewFailure|StageMessages)\\.',
    'src/views/frame/(ExportMenu|Slider|Segments|late_script|restricted|run_data|time_stage|time_actions|time_cursor|time_gestures)\\.',
    'd3-array|internmap',
  ].join('|'),
);

/** What those need that have a canvas that scrolls and a side panel from the beginning: all but the cube. */
const STAGE = /src\/(views\/frame\/(StageCanvas|Panel|LegendFrame)|marks\/(line_chart|chart_ground))\./;

/** What those need that draw classes and their anomalies: all but the layers. */
const CLASSES =
  /src\/(kernel\/(anomalies|anomaly_counts)|marks\/(error_lines)|views\/frame\/SettingControls)\./;

export default defineConfig({
  plugins: [svelte()],
  build: {
    outDir: '../src/deeptracker/static',
    emptyOutDir: true,
    assetsInlineLimit: 0,
    modulePreload: false,
    rolldownOptions: {
      output: {
        advancedChunks: {
          groups: [
            { name: 'shared', test: SHARED },
            { name: 'stage', test: STAGE },
            { name: 'classes', test: CLASSES },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8000' } },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
