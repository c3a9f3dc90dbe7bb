import { stretched } from '../../kernel/affine.ts';
import { FACES } from '../../kernel/cube_geometry.ts';
import type { Surface } from '../../marks/surface.ts';
import { drawDynamic, type Dynamic } from './draw_dynamic.ts';
import { drawFace } from './draw_faces.ts';
import { drawStatic } from './draw_static.ts';
import { panelSize, type Scene } from './scene.ts';

/** The whole picture on one surface, as it is exported: faces under the matrices that the screen has, then what lies over them. */
export function drawSheet(surface: Surface, scene: Scene, dynamic: Dynamic): void {
  surface.rect(0, 0, scene.width, scene.height, { fill: scene.theme.background });
  for (const face of FACES) {
    const { matrix, shown } = scene.placement.faces[face];
    if (shown < 0.5) continue;
    const [w, h] = panelSize(scene.placement, face);
    surface.transformed(stretched(matrix, 1 / w, 1 / h), () => drawFace(surface, scene, face, w, h));
  }
  drawStatic(surface, scene);
  drawDynamic(surface, scene, dynamic);
}
