// The lines of a chart that its values are compared with.
import type uPlot from 'uplot';
import { value } from './format';

/** A line that something is compared with. */
export interface Threshold {
  value: number;
  label: string;
  tone: 'neutral' | 'info' | 'warning' | 'critical';
  /** Not worth squeezing the line for: where it is far away, the edge says on which side it lies. */
  aside?: boolean;
}

/** Room above and below, with the thresholds in sight. Of percent ten units at least, that noise does not look like a storm, and all where half is in use. */
export function room(lo: number | null, hi: number | null, thresholds: Threshold[], percent = false): [number, number] {
  const must = thresholds.filter((t) => !t.aside).map((t) => t.value);
  let a = Math.min(lo ?? Infinity, ...must);
  let b = Math.max(hi ?? -Infinity, ...must);
  // One that is aside may take two thirds of the height, not more.
  const reach = Math.max(b - a, Math.abs(b) * 0.05) * 2;
  const [low, high] = [a, b];
  for (const t of thresholds) {
    if (!t.aside || (Number.isFinite(high) && (t.value > high + reach || t.value < low - reach))) continue;
    a = Math.min(a, t.value);
    b = Math.max(b, t.value);
  }
  if (!Number.isFinite(a) || !Number.isFinite(b)) return [0, 1];
  if (percent && a >= 0 && b <= 100) {
    if (b - a > 50) return [0, 100];
    const short = (10 - (b - a)) / 2;
    if (short > 0) {
      const from = Math.min(90, Math.max(0, a - short));
      return [from, from + 10];
    }
  }
  const pad = a === b ? Math.abs(a) * 0.1 || 1 : (b - a) * 0.12;
  return [a >= 0 && a - pad < 0 ? 0 : a - pad, b + pad];
}

/** Draws a threshold. `written` are the heights of labels that are there already: one on top of another can be read by nobody. */
export function drawThreshold(
  u: uPlot,
  t: Threshold,
  colour: string,
  surface: string,
  font: string,
  written: number[],
): void {
  const { ctx, bbox } = u;
  const ratio = devicePixelRatio;
  const y = u.valToPos(t.value, 'y', true);
  const above = y < bbox.top - 1;
  const below = y > bbox.top + bbox.height + 1;
  if ((above || below) && (!t.aside || t.tone === 'neutral')) return;
  ctx.save();
  ctx.strokeStyle = colour;
  let label = t.label;
  let at = y;
  if (above || below) {
    label = `${above ? '↑' : '↓'} ${label || value(t.value)}`;
    at = above ? bbox.top + 14 * ratio : bbox.top + bbox.height;
  } else {
    ctx.lineWidth = (t.tone === 'neutral' ? 1 : 1.5) * ratio;
    ctx.setLineDash(t.tone === 'neutral' ? [2 * ratio, 4 * ratio] : [5 * ratio, 4 * ratio]);
    ctx.beginPath();
    ctx.moveTo(bbox.left, y);
    ctx.lineTo(bbox.left + bbox.width, y);
    ctx.stroke();
    if (y - bbox.top < 16 * ratio) at = y + 17 * ratio;
  }
  const base = at - 4 * ratio;
  if (label && !written.some((w) => Math.abs(w - base) < 14 * ratio)) {
    written.push(base);
    ctx.font = font.replace('11px', `${11 * ratio}px`);
    ctx.textAlign = 'left';
    ctx.textBaseline = 'alphabetic';
    // At the old end, with a rim in place of a box: what is newest is never covered.
    const left = bbox.left + 4 * ratio;
    ctx.lineJoin = 'round';
    ctx.lineWidth = 3 * ratio;
    ctx.setLineDash([]);
    ctx.strokeStyle = surface;
    ctx.strokeText(label, left, base);
    ctx.fillStyle = colour;
    ctx.fillText(label, left, base);
  }
  ctx.restore();
}
