import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vitest/config';

/** What every view needs: in one file it packs better than in the many that it would be split into. */
const SHARED = new RegExp(
  [
    'src/(App|main|source|http|http_source|http_columns|http_correlation|(view|part|settings)\\.svelte)\\.',
    'src/(unowned|detailed)\\.svelte\\.',
    'src/kernel/(measures|axis|view_state|columns|frame|format|colour|detail)\\.',
    'src/marks/(triangles|brush|iteration_axis|stage_bar|legend|stripes)\\.',
    'src/views/RunPage\\.',
    'src/views/frame/(RunFrame|Header|Icon|StateDot|NameSearch|Notices|FailureCard|ViewFailure|StageCanvas|StageMessages)\\.',
    'src/views/frame/(ExportMenu|Slider|Segments|late_script|restricted|run_data|time_stage|time_actions|time_cursor|time_gestures)\\.',
    'd3-array|internmap',
  ].join('|'),
);

/** What every view of a run needs besides. */
const FRAME =
  /src\/(views\/frame\/(RunFrame|Restrictions|restrictions|Notices|StageMessages|Segments|Slider|ExportMenu|NameSearch|late_script|time_)|marks\/(stage_bar|iteration_axis|brush|error_lines|canvas_surface|surface|stripes)|kernel\/(affine|links|series)|detailed\.svelte|unowned)/;

/** Those with a canvas that scrolls and a side panel from the beginning. */
const STAGE = /src\/(views\/frame\/(StageCanvas|Panel|LegendFrame)|marks\/(line_chart|chart_ground))/;

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
            { name: 'frame', test: FRAME },
            { name: 'stage', test: STAGE },
          ],
        },
      },
    },
  },
  server: { proxy: { '/api': 'http://127.0.0.1:8000' } },
  test: { include: ['tests/**/*.test.ts'], environment: 'node' },
});
