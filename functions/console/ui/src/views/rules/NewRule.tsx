import { Page } from '@/parts/Page';

export default function NewRule() {
  return <Page title="NewRule">{null}</Page>;
}
