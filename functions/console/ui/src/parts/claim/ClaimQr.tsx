import type { ClaimFile } from '@/api/types';
import { useClaimText } from './claim';
import { Qr } from './Qr';

/** A claim as a QR code, for devices with a camera and for labels. It is as secret as the claim's file. */
export function ClaimQr({ file }: { file: ClaimFile }) {
  const text = useClaimText(file);
  return text ? <Qr text={text} label={`QR code of claim ${file.claim.id}`} /> : null;
}
