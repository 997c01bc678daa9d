import { Page } from '@/parts/Page';

export default function Enrol() {
  return <Page title="Enrol">{null}</Page>;
}
