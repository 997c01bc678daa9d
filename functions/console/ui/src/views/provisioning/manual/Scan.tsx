import { ScanLine, X } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { Button } from '@/parts/Button';
import s from './Manual.module.css';

interface Detector {
  detect: (from: HTMLVideoElement) => Promise<{ rawValue: string }[]>;
}
type Detects = new () => Detector;

/** The browser's own reader of bar and QR codes; most on phones have one. */
const detectorOf = (): Detects | undefined => (globalThis as { BarcodeDetector?: Detects }).BarcodeDetector;

/** Reads a serial from the plate by the camera. Where the browser cannot, there is nothing, and the serial is typed. */
export function Scan({ onFound }: { onFound: (text: string) => void }) {
  const [open, setOpen] = useState(false);
  const [why, setWhy] = useState('');
  const able = !!detectorOf() && !!navigator.mediaDevices?.getUserMedia;
  if (!able) return null;
  return open ? (
    <Camera
      onFound={(text) => {
        setOpen(false);
        onFound(text);
      }}
      onClose={(reason) => {
        setOpen(false);
        setWhy(reason);
      }}
    />
  ) : (
    <>
      <Button icon={<ScanLine aria-hidden />} className={s.big} onClick={() => setOpen(true)}>
        Scan
      </Button>
      {why && <p className={s.aside}>{why}</p>}
    </>
  );
}

function Camera({ onFound, onClose }: { onFound: (text: string) => void; onClose: (why: string) => void }) {
  const video = useRef<HTMLVideoElement>(null);
  const latest = useRef({ onFound, onClose });
  latest.current = { onFound, onClose };
  useEffect(() => {
    let over = false;
    let stream: MediaStream | undefined;
    const Detects = detectorOf();
    const look = async () => {
      if (!Detects) return;
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
      const v = video.current;
      if (over || !v) return;
      v.srcObject = stream;
      await v.play();
      const detector = new Detects();
      while (!over) {
        const found = await detector.detect(v).catch(() => []);
        const text = found[0]?.rawValue.trim().slice(0, 64);
        if (text && !over) return latest.current.onFound(text);
        await new Promise((go) => setTimeout(go, 200));
      }
    };
    look()
      .catch(() => over || latest.current.onClose('The camera cannot be used; type it instead.'))
      .finally(() => over && stop());
    const stop = () => {
      for (const t of stream?.getTracks() ?? []) t.stop();
    };
    return () => {
      over = true;
      stop();
    };
  }, []);
  return (
    <div className={s.camera}>
      <video ref={video} playsInline muted aria-label="What the camera sees" />
      <Button icon={<X aria-hidden />} onClick={() => onClose('')}>
        Type it instead
      </Button>
    </div>
  );
}
