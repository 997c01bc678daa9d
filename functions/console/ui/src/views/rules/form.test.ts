import { describe, expect, test } from 'vitest';
import { conditionText } from '@/parts/condition';
import { check, command, conditionOf, emptyForm, type Form, formOf, numberOf } from './form';

const good: Form = { ...emptyForm('pump', 'temperature'), value: '80', clear: '76' };

describe('a form', () => {
  test('that is good makes the condition', () => {
    expect(check(good)).toEqual({});
    expect(conditionText(conditionOf(good)!)).toBe('temperature > 80 for 1m clear 76');
  });

  test.each<[string, Partial<Form>, keyof Form]>([
    ['no target', { target: '' }, 'target'],
    ['no property', { property: '' }, 'property'],
    ['a property with a space', { property: 'a b' }, 'property'],
    ['no threshold', { value: ' ' }, 'value'],
    ['a threshold in words', { value: 'hot' }, 'value'],
    ['a threshold that is not finite', { value: '1e999' }, 'value'],
    ['a negative time', { time: '-1' }, 'time'],
    ['a time over 30 days', { time: '721', timeUnit: 'h' }, 'time'],
    ['a clear value beyond the threshold', { clear: '81' }, 'clear'],
    ['a clear value beyond it, below', { op: '<', clear: '79' }, 'clear'],
    ['a name that is too long in bytes', { name: '😀'.repeat(40) }, 'name'],
  ])('with %s says so at the field', (_, change, field) => {
    expect(Object.keys(check({ ...good, ...change }))).toEqual([field]);
  });

  test('leaves the clear value out where it has no meaning', () => {
    expect(conditionText(conditionOf({ ...good, op: '==' })!)).toBe('temperature == 80 for 1m');
  });

  test('of a rule is the rule', () => {
    const rule = {
      id: 'r',
      version: 1,
      target: 'p',
      condition: 'rpm <= 100.5 for 1h30m',
      severity: 'info',
      by: '',
      created: '',
      updated: '',
    } as const;
    const f = formOf(rule)!;
    expect([f.op, f.value, f.time, f.timeUnit, f.clear, f.name]).toEqual(['<=', '100.5', '90', 'min', '', '']);
    expect(conditionText(conditionOf(f)!)).toBe(rule.condition);
    expect(formOf({ ...rule, condition: 'something newer' })).toBeUndefined();
  });
});

test('numbers are as people type them', () => {
  expect(['1,5', '-2', '.5', '1e3', ' 7 '].map(numberOf)).toEqual([1.5, -2, 0.5, 1000, 7]);
  expect(['', 'x', '1,000,000', '0x10', '1 2'].map(numberOf)).toEqual(Array(5).fill(Number.NaN));
});

test('the command is safe to paste', () => {
  const f = { ...good, name: `it's $(hot) \`now\`` };
  expect(command(f, conditionOf(f)!)).toBe(
    `castor rule create pump 'temperature > 80 for 1m clear 76' --severity warning --name 'it'\\''s $(hot) \`now\`'`,
  );
  expect(command(good, conditionOf(good)!, 'r1')).toContain("castor rule set r1 --condition 'temperature > 80");
});
