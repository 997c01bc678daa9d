import { useQuery } from '@tanstack/react-query';
import { useParams } from 'wouter';
import { Page } from '@/parts/Page';
import { Failure, Skeleton } from '@/parts/States';
import { Editor } from './Editor';
import { modelText } from './models';

/** A model: its text and drawing, tried and saved. */
export default function ModelView() {
  const { id = '' } = useParams();
  const { data, error, refetch } = useQuery(modelText(id));
  if (data) return <Editor key={id} id={id} begin={data} />;
  return (
    <Page title={id} up={{ href: '/models', label: 'Provisioning models' }}>
      {error ? (
        <Failure error={error} retry={() => void refetch()} what="The model could not be read" />
      ) : (
        <Skeleton lines={12} />
      )}
    </Page>
  );
}
