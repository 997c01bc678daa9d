import { Page } from '@/parts/Page';

export default function TwinView() {
  return <Page title="TwinView">{null}</Page>;
}
