package twins

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/artifact"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
	"github.com/castor-iot/castor/shared/twin"
)

// partSize is how many compressed bytes one part of an archive has, the last one excepted: what is held in memory, and what
// a crash has written anew.
const partSize = 8 << 20

// archive brings the data of a deleted twin into the object store, as far as it gets in a while, and tells whether they are
// there, whole. Only then they may be removed. Each step is idempotent, and noted before the next begins.
func (f *function) archive(ctx context.Context, t *twin.Twin) (done bool, err error) {
	w := writer{f: f, t: t}
	a, err := platform.Leases[archive]{P: f.p, C: f.kept, Kind: "archive",
		Of: func(a *archive) (string, *platform.Lease, *string) { return a.ID, &a.Lease, &a.Reason },
	}.GoOn(ctx, archiveID(t), platform.Work[archive]{Begin: w.begin, Step: w.step, Waits: w.waits})
	return err == nil && a.State == api.ArchiveReady, err
}

// errSpoilt: what is in the object store is not what was written; it is written anew.
var errSpoilt = errors.New("the archive is not as it was written")

// anew forgets what was written.
func (a *archive) anew() {
	a.Upload, a.Parts, a.After, a.Sum, a.Whole = "", 0, "", nil, false
	a.Records, a.Parked, a.Size = 0, 0, 0
}

// A writer writes one archive.
type writer struct {
	f *function
	t *twin.Twin
	*platform.Held[archive]
}

func (w *writer) begin(a *archive, exists bool) error {
	if a.State == api.ArchiveErased {
		return store.Unchanged
	}
	if !exists {
		r, t := w.t.Remains, w.t
		a.Archive = api.Archive{ID: archiveID(t), Twin: t.ID, Kind: r.Kind, Type: r.Type, Name: r.Name, Owner: t.Definition.Owner, By: r.By,
			Deleted: t.Deleted, State: api.ArchiveWaiting, Key: "archive/" + string(t.ID) + "/" + t.Deleted.Format("20060102T150405.000Z") + ".ndjson.gz"}
		a.Worked = w.f.p.Time()
	}
	return nil
}

// waits notes in people's words why the archive is not written now.
func (w *writer) waits(a *archive, why error) {
	a.State, a.Reason = api.ArchiveWaiting, "the object store is away"
	if w.f.p.Objects == nil {
		a.Reason = "this platform has no object store; the data are kept until somebody erases them"
	}
	if errors.Is(why, errSpoilt) {
		a.anew()
	}
}

// step begins the archive, writes its next part, or ends it.
func (w *writer) step(ctx context.Context, h *platform.Held[archive]) error {
	w.Held = h
	switch {
	case w.f.p.Objects == nil:
		return errNoObjects
	case w.Doc.Upload == "":
		return w.start(ctx)
	case !w.Doc.Whole:
		return w.part(ctx)
	}
	if err := w.complete(ctx); err != nil {
		return err
	}
	if err := w.verify(ctx); err != nil {
		return err
	}
	if err := w.tell(ctx); err != nil {
		return err
	}
	return w.Note(ctx, func(a *archive, now time.Time) {
		a.State, a.Archived, a.SHA256, a.Reason = api.ArchiveReady, now, hex.EncodeToString(w.hash().Sum(nil)), ""
		a.Upload, a.Sum = "", nil
		a.Lease.End()
	})
}

// start begins the upload, once what is left of whoever came this far and died is gone.
func (w *writer) start(ctx context.Context) error {
	if err := w.f.p.Objects.AbortUploads(ctx, w.Doc.Key); err != nil {
		return err
	}
	upload, err := w.f.p.Objects.StartUpload(ctx, w.Doc.Key)
	if err != nil {
		return err
	}
	return w.Prepare(ctx, func(a *archive) {
		a.anew()
		a.Upload, a.State, a.Reason = upload, api.ArchiveWriting, ""
	})
}

// hash is the hash over the parts so far.
func (w *writer) hash() hash.Hash {
	h := sha256.New()
	if len(w.Doc.Sum) > 0 {
		if err := h.(encoding.BinaryUnmarshaler).UnmarshalBinary(w.Doc.Sum); err != nil {
			return sha256.New() // which verify finds out
		}
	}
	return h
}

// part writes the next part: a gzip file of its own, and parts of gzip make one.
func (w *writer) part(ctx context.Context) error {
	var buf bytes.Buffer
	zip := gzip.NewWriter(&buf)
	lines := json.NewEncoder(zip)
	lines.SetEscapeHTML(false)
	next := w.Doc // as it will be
	var err error
	if next.Parts == 0 {
		err = lines.Encode(api.ArchiveLine{Twin: json.RawMessage(w.t.Remains.Document)})
	}
	if err == nil {
		err = w.f.linesOf(ctx, &next, &buf, lines)
	}
	if err == nil && next.Whole {
		err = lines.Encode(api.ArchiveLine{End: &api.ArchiveEnd{Records: next.Records, Parked: next.Parked}})
	}
	if err == nil {
		err = zip.Close()
	}
	if err != nil {
		return err
	}
	err = w.f.p.Objects.PutPart(ctx, w.Doc.Key, w.Doc.Upload, w.Doc.Parts+1, buf.Bytes())
	if errors.Is(err, artifact.ErrNotFound) {
		return errSpoilt // the object store has given the upload up
	}
	if err != nil {
		return err
	}
	h := w.hash()
	h.Write(buf.Bytes())
	sum, err := h.(encoding.BinaryMarshaler).MarshalBinary()
	if err != nil {
		return err
	}
	return w.Note(ctx, func(a *archive, _ time.Time) {
		a.Records, a.Parked, a.After, a.Whole = next.Records, next.Parked, next.After, next.Whole
		a.Parts, a.Size, a.Sum = a.Parts+1, a.Size+int64(buf.Len()), sum
		a.State = api.ArchiveWriting // it may have waited
	})
}

// linesOf writes records, then parked messages, until the part is full or there are no more. After is "r" and the id of the
// last record, or "p" and the cursor of the next parked message.
func (f *function) linesOf(ctx context.Context, a *archive, buf *bytes.Buffer, lines *json.Encoder) error {
	if !strings.HasPrefix(a.After, "p") {
		from, end := max(strings.TrimPrefix(a.After, "r"), string(a.Twin)+"|"), string(a.Twin)+"}"
		q := store.Query{Filter: store.And(store.Gt("_id", from), store.Lt("_id", end))}
		err := f.history.Scan(ctx, q, func(r api.Record) error {
			a.After = "r" + r.ID
			if strings.HasPrefix(r.ID, string(a.Twin)+"|~") {
				return nil // where a message without a time has its place; no message itself
			}
			a.Records++
			if err := lines.Encode(api.ArchiveLine{Record: &r}); err != nil {
				return err
			}
			return full(buf)
		})
		if err != nil || buf.Len() >= partSize {
			return err
		}
		a.After = "p"
	}
	q := store.Query{Index: "by-twin", Filter: store.Eq("twin", a.Twin), Limit: 50}
	for buf.Len() < partSize && !a.Whole {
		q.Cursor = strings.TrimPrefix(a.After, "p")
		page, err := f.parked.Find(ctx, q)
		if err != nil {
			return err
		}
		for i := range page.Items {
			if err := lines.Encode(api.ArchiveLine{Parked: &page.Items[i]}); err != nil {
				return err
			}
		}
		a.Parked += int64(len(page.Items))
		a.After, a.Whole = "p"+page.Next, page.Next == ""
	}
	return nil
}

func full(buf *bytes.Buffer) error {
	if buf.Len() >= partSize {
		return store.Stop
	}
	return nil
}

// complete makes one object of the parts. That may have been done already.
func (w *writer) complete(ctx context.Context) error {
	objects := w.f.p.Objects
	parts, err := objects.Parts(ctx, w.Doc.Key, w.Doc.Upload)
	if err == nil && len(parts) < w.Doc.Parts {
		return errSpoilt
	}
	if err == nil {
		err = objects.CompleteUpload(ctx, w.Doc.Key, w.Doc.Upload, parts[:w.Doc.Parts])
	}
	if !errors.Is(err, artifact.ErrNotFound) {
		return err
	}
	o, err := objects.Stat(ctx, w.Doc.Key)
	if errors.Is(err, artifact.ErrNotFound) || err == nil && o.Size != w.Doc.Size {
		return errSpoilt
	}
	return err
}

// verify reads the object back: its hash must be that of what was written, and it must have all lines.
func (w *writer) verify(ctx context.Context) error {
	r, o, err := w.f.p.Objects.Get(ctx, w.Doc.Key)
	if err != nil {
		return err
	}
	defer r.Close()
	h := sha256.New()
	read := bufio.NewReaderSize(io.TeeReader(r, h), 64<<10)
	zip, err := gzip.NewReader(read)
	lines := int64(0)
	for buf := make([]byte, 64<<10); err == nil; {
		var n int
		n, err = zip.Read(buf)
		lines += int64(bytes.Count(buf[:n], []byte{'\n'}))
	}
	if !errors.Is(err, io.EOF) {
		return fmt.Errorf("read archive back: %w", err)
	}
	if o.Size != w.Doc.Size || lines != w.Doc.Records+w.Doc.Parked+2 || !bytes.Equal(h.Sum(nil), w.hash().Sum(nil)) {
		return errSpoilt
	}
	return nil
}

// tell keeps in the audit what was archived, under an id that is the same whenever it is told.
func (w *writer) tell(ctx context.Context) error {
	a := &w.Doc
	return w.f.p.Audit(ctx, access.Record{ID: fmt.Sprintf("%013x-archived-%s", a.Deleted.UnixMilli(), a.Twin), At: w.f.p.Time(), Caller: "platform:twins",
		Function: "twins", Method: "ARCHIVE", Status: http.StatusOK,
		Path: fmt.Sprintf("/archives/%s: %d records, sha256 %x", a.ID, a.Records, w.hash().Sum(nil))})
}
