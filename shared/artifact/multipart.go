package artifact

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/minio/minio-go/v7"
)

// MinPart is the smallest part of an upload but the last, in bytes; MaxParts is how many parts an upload may have.
const (
	MinPart  = 5 << 20
	MaxParts = 10_000
)

// A Part is one part of an upload that the store has.
type Part struct {
	Number int // from 1 on
	Size   int64
	MD5    string // of its content, hexadecimal; "" where the store does not tell
	tag    string
}

// md5Of is the MD5 that a store's tag of a part is, unless the store encrypts parts under keys of others.
func md5Of(tag string) string {
	tag = strings.ToLower(strings.Trim(tag, `"`))
	if b, err := hex.DecodeString(tag); err != nil || len(b) != 16 {
		return ""
	}
	return tag
}

// StartUpload begins an upload in parts and returns its id. There is no object until CompleteUpload.
func (s *Store) StartUpload(ctx context.Context, key string) (upload string, err error) {
	if err = checkKey(key); err == nil {
		upload, err = s.core().NewMultipartUpload(ctx, s.bucket, key, minio.PutObjectOptions{ContentType: "application/octet-stream"})
	}
	if err != nil {
		return "", fmt.Errorf("start upload of object %q: %w", key, cause(err))
	}
	return upload, nil
}

// Parts lists the parts of an upload that the store has, by number. ErrNotFound tells that there is no such upload (any more).
func (s *Store) Parts(ctx context.Context, key, upload string) (parts []Part, err error) {
	for after := 0; ; {
		r, err := s.core().ListObjectParts(ctx, s.bucket, key, upload, after, 1000)
		if err != nil {
			return nil, fmt.Errorf("list parts of object %q: %w", key, cause(err))
		}
		for _, p := range r.ObjectParts {
			parts = append(parts, Part{Number: p.PartNumber, Size: p.Size, MD5: md5Of(p.ETag), tag: p.ETag})
		}
		if !r.IsTruncated || r.NextPartNumberMarker <= after {
			return parts, nil
		}
		after = r.NextPartNumberMarker
	}
}

// PutPart stores part number of an upload, of MinPart bytes at least unless it is the last. A part of that number is replaced.
// ErrNotFound tells that there is no such upload (any more).
func (s *Store) PutPart(ctx context.Context, key, upload string, number int, content []byte) error {
	_, err := s.core().PutObjectPart(ctx, s.bucket, key, upload, number, bytes.NewReader(content), int64(len(content)),
		minio.PutObjectPartOptions{DisableContentSha256: true})
	if err != nil {
		return fmt.Errorf("put part %d of object %q: %w", number, key, cause(err))
	}
	return nil
}

// CompleteUpload makes the object of the parts, as Parts returned them. Errors: ErrNotFound if the upload is over already,
// ErrParts if a part has changed since.
func (s *Store) CompleteUpload(ctx context.Context, key, upload string, parts []Part) error {
	all := make([]minio.CompletePart, len(parts))
	for i, p := range parts {
		all[i] = minio.CompletePart{PartNumber: p.Number, ETag: p.tag}
	}
	if _, err := s.core().CompleteMultipartUpload(ctx, s.bucket, key, upload, all, minio.PutObjectOptions{}); err != nil {
		return fmt.Errorf("complete object %q: %w", key, cause(err))
	}
	return nil
}

// AbortUploads ends all uploads of exactly this key that are not complete and drops their parts.
func (s *Store) AbortUploads(ctx context.Context, key string) error {
	err := checkKey(key)
	for err == nil {
		var r minio.ListMultipartUploadsResult
		if r, err = s.core().ListMultipartUploads(ctx, s.bucket, key, "", "", "", 1000); err != nil {
			break
		}
		aborted := 0
		for _, u := range r.Uploads {
			if u.Key != key {
				continue
			}
			if err = s.core().AbortMultipartUpload(ctx, s.bucket, key, u.UploadID); err != nil && !errors.Is(cause(err), ErrNotFound) {
				break
			}
			err = nil
			aborted++
		}
		if err == nil && (aborted == 0 || !r.IsTruncated) {
			return nil
		}
	}
	return fmt.Errorf("abort uploads of object %q: %w", key, cause(err))
}

// ReadAt opens size bytes of an object from offset on. The caller closes the reader.
func (s *Store) ReadAt(ctx context.Context, key string, offset, size int64) (io.ReadCloser, error) {
	err := checkKey(key)
	if err == nil && (offset < 0 || size < 1) {
		err = fmt.Errorf("%w: offset must be 0 or more and size 1 or more", ErrInvalid)
	}
	var o minio.GetObjectOptions
	if err == nil {
		err = o.SetRange(offset, offset+size-1)
	}
	if err == nil {
		var r io.ReadCloser
		if r, _, _, err = s.core().GetObject(ctx, s.bucket, key, o); err == nil {
			return r, nil
		}
	}
	return nil, fmt.Errorf("read object %q: %w", key, cause(err))
}

// streamPart is how much of a stream PutStream holds in memory, in bytes.
const streamPart = 16 << 20

// PutStream stores what r yields, however much that is up to streamPart × MaxParts bytes, and returns its size and SHA-256
// when it is safe. It holds 16 MiB in memory. If r fails, nothing is stored. Object.SHA256 of later calls is "" for objects
// that took more than one part.
func (s *Store) PutStream(ctx context.Context, key string, r io.Reader) (Object, error) {
	o := Object{Key: key}
	sum := sha256.New()
	buf := make([]byte, streamPart)
	n, err := io.ReadFull(r, buf)
	if err == io.EOF || err == io.ErrUnexpectedEOF {
		sum.Write(buf[:n])
		o.Size, o.SHA256 = int64(n), hex.EncodeToString(sum.Sum(nil))
		return o, s.Put(ctx, key, bytes.NewReader(buf[:n]), o.Size, o.SHA256)
	}
	if err != nil {
		return Object{}, fmt.Errorf("put object %q: %w", key, err)
	}
	upload, err := s.StartUpload(ctx, key)
	if err != nil {
		return Object{}, err
	}
	var parts []Part
	for n > 0 && err == nil {
		sum.Write(buf[:n])
		o.Size += int64(n)
		var p minio.ObjectPart
		if p, err = s.core().PutObjectPart(ctx, s.bucket, key, upload, len(parts)+1, bytes.NewReader(buf[:n]), int64(n),
			minio.PutObjectPartOptions{DisableContentSha256: true}); err != nil {
			break
		}
		if parts = append(parts, Part{Number: len(parts) + 1, Size: int64(n), tag: p.ETag}); len(parts) == MaxParts {
			err = fmt.Errorf("%w: it has more than %d parts", ErrInvalid, MaxParts)
			break
		}
		if n, err = io.ReadFull(r, buf); err == io.EOF || err == io.ErrUnexpectedEOF {
			err = nil
		}
	}
	if err == nil {
		err = s.CompleteUpload(ctx, key, upload, parts)
	}
	if err != nil {
		// Who was interrupted still tidies up.
		return Object{}, fmt.Errorf("put object %q: %w", key, errors.Join(cause(err), s.AbortUploads(context.WithoutCancel(ctx), key)))
	}
	o.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return o, nil
}

func (s *Store) core() minio.Core { return minio.Core{Client: s.client} }
