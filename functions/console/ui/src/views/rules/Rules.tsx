import { Page } from '@/parts/Page';

export default function Rules() {
  return <Page title="Rules">{null}</Page>;
}
