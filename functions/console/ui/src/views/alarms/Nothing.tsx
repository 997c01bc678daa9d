import { CircleCheck } from 'lucide-react';
import { Button, ButtonLink } from '@/parts/Button';
import { Card } from '@/parts/Card';
import { Empty } from '@/parts/States';

/** No alarm to show: mostly good news. */
export function Nothing({ filtered, all, onClear }: { filtered: boolean; all: boolean; onClear: () => void }) {
  if (filtered)
    return (
      <Card>
        <Empty title="No alarm matches" action={<Button onClick={onClear}>Clear the filters</Button>}>
          Nothing of this kind is {all ? 'known' : 'open'}.
        </Empty>
      </Card>
    );
  return (
    <Card>
      <Empty
        icon={<CircleCheck aria-hidden />}
        title="Nothing is wrong"
        action={
          <ButtonLink href={all ? '/rules/new' : '/alarms?show=all'}>
            {all ? 'Set a threshold' : 'Past alarms'}
          </ButtonLink>
        }
      >
        {all ? 'No alarm has been raised yet.' : 'No alarm is open. A new one shows here the moment it is raised.'}
      </Empty>
    </Card>
  );
}
