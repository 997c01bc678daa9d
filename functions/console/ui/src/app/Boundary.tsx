import { Component, type ReactNode } from 'react';
import { Failure } from '@/parts/States';

/** Keeps a view that fails from taking the page along, or another view: `at` tells which is shown. */
export class Boundary extends Component<{ at: string; children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {};

  static getDerivedStateFromError(error: Error) {
    return { error };
  }

  override componentDidUpdate(before: { at: string }) {
    if (before.at !== this.props.at && this.state.error) this.setState({ error: undefined });
  }

  override render() {
    if (!this.state.error) return this.props.children;
    return (
      <Failure error={this.state.error} what="This view has failed" retry={() => this.setState({ error: undefined })} />
    );
  }
}
