import { Alert } from "@mantine/core";
import { Component, type ReactNode } from "react";

interface Props {
  readonly children: ReactNode;
  /** In the place of what cannot be drawn. */
  readonly fallback?: ReactNode;
}

/** What cannot be drawn takes nothing else of the page along. A boundary with another key tries anew. */
export class Boundary extends Component<Props, { readonly failed: boolean }> {
  override state = { failed: false };

  static getDerivedStateFromError() {
    return { failed: true };
  }

  override render() {
    return this.state.failed ? (this.props.fallback ?? <Broken />) : this.props.children;
  }
}

function Broken() {
  return (
    <Alert color="red" title="This cannot be shown">
      Reload the page: it may have been rebuilt meanwhile.
    </Alert>
  );
}
