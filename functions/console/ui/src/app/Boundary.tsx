import { Component, type ReactNode } from 'react';
import { Failure } from '@/parts/States';

/** Keeps a view that fails from taking the page along. An asset that is gone means that the platform was upgraded: the page is loaded again, once. */
export class Boundary extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override componentDidCatch(error: Error) {
    const mark = 'castor.reloaded';
    if (
      /dynamically imported module|module script/i.test(error.message) &&
      Date.now() - Number(sessionStorage.getItem(mark) ?? 0) > 30_000
    ) {
      sessionStorage.setItem(mark, String(Date.now()));
      location.reload();
    }
  }

  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <Failure error={this.state.error} what="This view has failed" retry={() => this.setState({ error: undefined })} />
    );
  }
}
