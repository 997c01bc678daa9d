import { useQuery } from '@tanstack/react-query';
import { useSearchParams } from 'wouter';
import { Card } from '@/parts/Card';
import { CodeBlock } from '@/parts/Copy';
import { Page } from '@/parts/Page';
import { Empty, Failure, Skeleton } from '@/parts/States';
import { Editor } from './Editor';
import { emptyForm, formOf } from './form';
import { oneRule } from './rules';

const up = { href: '/rules', label: 'Rules' };

/** A new rule (?twin=ID&property=NAME fill it in), or the edit of one (?rule=ID). */
export default function NewRule() {
  const [params] = useSearchParams();
  const id = params.get('rule') ?? '';
  const rule = useQuery(oneRule(id));
  if (id === '')
    return <Editor start={emptyForm(params.get('twin') ?? '', (params.get('property') ?? '').slice(0, 128))} />;
  if (rule.isPending)
    return (
      <Page title="Rule" up={up}>
        <Card>
          <Skeleton lines={6} height={32} />
        </Card>
      </Page>
    );
  if (rule.isError)
    return (
      <Page title="Rule" up={up}>
        <Failure error={rule.error} what="The rule could not be read" retry={() => rule.refetch()} />
      </Page>
    );
  const start = formOf(rule.data.value);
  if (!start)
    return (
      <Page title={rule.data.value.name || id} up={up}>
        <Empty title="This condition cannot be edited here">
          It is from another version of the platform. The command line can change it.
        </Empty>
        <CodeBlock code={`castor rule set ${id} --condition '…'`} label="the command" />
      </Page>
    );
  return (
    <Editor
      key={rule.data.etag}
      start={start}
      rule={rule.data.value}
      etag={rule.data.etag}
      onReload={() => void rule.refetch()}
    />
  );
}
