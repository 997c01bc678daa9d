import { expect, it } from 'vitest';
import { adoptAll, outcomeWords } from './Adopt';

it('adopts page by page, and knows what was done when one of them fails', async () => {
  const pages = [
    { adopted: 99, left: 1, next: 'c2' },
    { adopted: 2, left: 0 },
  ];
  const asked: string[] = [];
  const page = async (cursor: string) => {
    asked.push(cursor);
    const p = pages[asked.length - 1];
    if (!p) throw new Error('the platform is away');
    return p;
  };
  const all = { adopted: 0, left: 0 };
  await adoptAll(page, all);
  expect([asked, all]).toEqual([['', 'c2'], { adopted: 101, left: 1 }]);
  pages.push({ adopted: 5, left: 0, next: 'c4' });
  await expect(adoptAll(page, all)).rejects.toThrow('away');
  expect(all).toEqual({ adopted: 106, left: 1 });
});

it.each([
  [{ adopted: 0, left: 0 }, /^There is none/],
  [{ adopted: 1, left: 0 }, /^1 message adopted: redrive reads what can be\.$/],
  [{ adopted: 0, left: 3 }, /^None adopted\. 3 of its device’s stay of no twin/],
  [{ adopted: 1200, left: 2 }, /^1,200 messages adopted.* 2 of its device’s stay/],
])('%j in words', (outcome, words) => expect(outcomeWords(outcome)).toMatch(words));
