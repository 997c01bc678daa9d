import { useQueryClient } from '@tanstack/react-query';
import { Ellipsis, Pencil, Trash2 } from 'lucide-react';
import { memo } from 'react';
import { Link, useLocation } from 'wouter';
import type { Rule, Twin } from '@/api/types';
import { SeverityBadge } from '@/parts/Badge';
import { IconButton } from '@/parts/Button';
import { conditionWords, parseCondition, titleWords } from '@/parts/condition';
import { cx } from '@/parts/cx';
import { alarmsHref, ruleHref, twinHref } from '@/parts/links';
import { Menu, MenuItem, MenuLabel, MenuLine } from '@/parts/Menu';
import { mayNotWrite, useMayWrite } from '@/parts/may';
import { Switch } from '@/parts/Switch';
import { Time } from '@/parts/Time';
import { Tooltip } from '@/parts/Tooltip';
import { toast } from '@/parts/toast';
import { unitIn } from '@/parts/useKinds';
import { actor, kindWord } from '@/parts/words';
import s from './Rules.module.css';
import { changeRule, deleteRule, restoreRule, rulesChanged, showAtOnce } from './rules';

/** One rule in the list. `target` is known of types and groups. */
export const RuleRow = memo(function RuleRow({
  rule: r,
  target,
  alarms,
}: {
  rule: Rule;
  target: Twin | undefined;
  alarms: number;
}) {
  const [, go] = useLocation();
  const c = parseCondition(r.condition);
  const unit = unitIn(target, c?.property);
  const title = r.name || titleWords(r.condition, unit);
  const may = useMayWrite(r.target, target?.definition.owner);
  const act = useActions(r, title.slice(0, 80));
  return (
    <tr className={cx(r.disabled && s.off)}>
      <td className={s.on}>
        {may ? (
          <Switch checked={!r.disabled} onChange={act.turn} label={`${title.slice(0, 80)} is on`} />
        ) : (
          <Tooltip text={mayNotWrite}>
            <span>
              <Switch checked={!r.disabled} onChange={act.turn} label={`${title.slice(0, 80)} is on`} disabled />
            </span>
          </Tooltip>
        )}
      </td>
      <td className={s.rule}>
        <Link href={ruleHref(r.id)} className={s.name}>
          {r.name ? <bdi>{r.name}</bdi> : <Words condition={r.condition} unit={unit} />}
        </Link>
        {r.name && (
          <span className={s.words}>
            <Words condition={r.condition} unit={unit} />
          </span>
        )}
      </td>
      <td className={s.target}>
        <Link href={twinHref(r.target)}>
          <bdi>{target?.definition.name || r.target}</bdi>
        </Link>
        <span className={s.kind}>{target ? `every device of this ${kindWord(target.kind)}` : 'one device'}</span>
      </td>
      <td className={s.severity}>
        <SeverityBadge severity={r.severity} />
      </td>
      <td className={s.alarms}>
        {r.disabled ? (
          <span className={s.none}>off</span>
        ) : alarms > 0 ? (
          <Link href={alarmsHref(r.target)}>{alarms} open</Link>
        ) : (
          <span className={s.none}>none</span>
        )}
      </td>
      <td className={s.by}>
        <bdi>{actor(r.by)}</bdi>
        <Time at={r.updated} />
      </td>
      <td className={s.menu}>
        <Menu
          trigger={
            <IconButton label={`Actions for ${title.slice(0, 80)}`}>
              <Ellipsis aria-hidden />
            </IconButton>
          }
        >
          {!may && <MenuLabel>{mayNotWrite}</MenuLabel>}
          <MenuItem disabled={!may} icon={<Pencil aria-hidden />} onSelect={() => go(ruleHref(r.id))}>
            Edit
          </MenuItem>
          <MenuLine />
          <MenuItem disabled={!may} icon={<Trash2 aria-hidden />} danger onSelect={act.remove}>
            Delete
          </MenuItem>
        </Menu>
      </td>
    </tr>
  );
});

function Words({ condition, unit }: { condition: string; unit?: string }) {
  const c = parseCondition(condition);
  if (!c) return <code>{condition}</code>;
  return (
    <>
      <bdi className={s.property}>{c.property}</bdi> {conditionWords(c, unit)}
    </>
  );
}

/** What can be done to a rule; it shows at once, and is taken back if it failed or by undo. */
function useActions(r: Rule, title: string) {
  const queries = useQueryClient();
  const doing = async (show: (rules: Rule[]) => Rule[], work: () => Promise<unknown>, failed: string) => {
    const back = showAtOnce(queries, show);
    try {
      await work();
      return true;
    } catch (e) {
      back();
      toast.failed(failed, e);
      return false;
    } finally {
      void rulesChanged(queries);
    }
  };
  const turn = async (on: boolean, undone = false) => {
    const ok = await doing(
      (all) => all.map((x) => (x.id === r.id ? { ...x, disabled: !on } : x)),
      () => changeRule(r.id, { disabled: !on }),
      `“${title}” was not turned ${on ? 'on' : 'off'}`,
    );
    if (ok && !undone) toast.done(`“${title}” is ${on ? 'on' : 'off'}`, () => void turn(!on, true));
  };
  const restore = () =>
    void doing(
      (all) => [...all, r].sort((a, b) => (a.id < b.id ? -1 : 1)),
      () => restoreRule(r),
      `“${title}” was not put back`,
    );
  const remove = async () => {
    const ok = await doing(
      (all) => all.filter((x) => x.id !== r.id),
      () => deleteRule(r.id),
      `“${title}” was not deleted`,
    );
    if (ok) toast.done(`“${title}” is deleted; the alarms it had raised are over`, restore);
  };
  return { turn: (on: boolean) => void turn(on), remove: () => void remove() };
}
