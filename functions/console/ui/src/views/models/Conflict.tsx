import { Button } from '@/parts/Button';
import { Dialog } from '@/parts/Dialog';
import { DiffView } from './DiffView';

/** Somebody has saved another version meanwhile: both are shown, and the person decides. */
export function Conflict({
  id,
  mine,
  theirs,
  onClose,
  onTake,
  onPut,
}: {
  id: string;
  mine: string;
  theirs: string;
  onClose: () => void;
  /** Gives the own text up. */
  onTake: () => void;
  /** Saves the own text as the version after theirs. */
  onPut: () => void;
}) {
  return (
    <Dialog
      open
      side
      onClose={onClose}
      title="Saved by somebody else meanwhile"
      note={
        <>
          <bdi>{id}</bdi> has a newer version than the one you began with. Lines with − are in that version only, lines
          with + in yours only.
        </>
      }
      footer={
        <>
          <Button onClick={onClose}>Go on editing</Button>
          <Button kind="danger" onClick={onTake}>
            Take the saved version
          </Button>
          <Button kind="primary" onClick={onPut}>
            Save mine after it
          </Button>
        </>
      }
    >
      <DiffView before={theirs} after={mine} label="What differs between the saved version and yours" />
    </Dialog>
  );
}
