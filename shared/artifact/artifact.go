// Package artifact keeps files that are too large for the document store, in an S3 object store: system images, apps,
// drivers, exports. It does not know what they are; functions keep their metadata and decide who may read them.
package artifact

import (
	"context"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"path"
	"strings"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// Region is the region of the embedded store, and what Config without one means.
const Region = "us-east-1"

// MaxSize is the largest object, in bytes: what S3 takes in one request.
const MaxSize = 5 << 30

// Errors of this package, to be compared with errors.Is.
var (
	ErrNotFound = errors.New("no such object")
	ErrInvalid  = errors.New("not valid for the object store")
	ErrChecksum = errors.New("content does not match its checksum")
	ErrParts    = errors.New("parts do not make an object")
)

// Config says which bucket to use.
type Config struct {
	Endpoint             string // host and port, without scheme
	AccessKey, SecretKey string
	Bucket               string
	Region               string // Region if empty
	TLS                  bool

	// Public is where people and devices reach the store, for the URLs they get: "https://objects.example.com" or
	// "host:9000"; Endpoint if empty.
	Public string
}

// A Store is one bucket. Its methods may be called by several goroutines.
type Store struct {
	client *minio.Client
	public *minio.Client // signs URLs for the public endpoint; it is never called
	bucket string
}

// An Object is what is known of a stored file without reading it.
type Object struct {
	Key      string
	Size     int64
	SHA256   string // hexadecimal; "" in lists, and for objects that were put by a presigned URL
	Modified time.Time
}

// Open connects to the bucket and makes it if it is missing and the key is allowed to.
func Open(ctx context.Context, c Config) (*Store, error) {
	if c.Region == "" {
		c.Region = Region
	}
	client, err := dial(c, c.Endpoint, c.TLS)
	if err != nil {
		return nil, fmt.Errorf("open object store %s: %w", c.Endpoint, err)
	}
	s := &Store{client: client, public: client, bucket: c.Bucket}
	if c.Public != "" {
		if s.public, err = publicClient(c); err != nil {
			return nil, fmt.Errorf("public address %q of the object store: %w", c.Public, err)
		}
	}
	there, err := client.BucketExists(ctx, c.Bucket)
	if err == nil && !there {
		err = client.MakeBucket(ctx, c.Bucket, minio.MakeBucketOptions{Region: c.Region})
		if code := minio.ToErrorResponse(err).Code; code == minio.BucketAlreadyOwnedByYou {
			err = nil // another process was first
		}
	}
	if err != nil {
		return nil, fmt.Errorf("open bucket %s of object store %s: %w", c.Bucket, c.Endpoint, err)
	}
	return s, nil
}

func dial(c Config, endpoint string, tls bool) (*minio.Client, error) {
	return minio.New(endpoint, &minio.Options{
		Creds:        credentials.NewStaticV4(c.AccessKey, c.SecretKey, ""),
		Secure:       tls,
		Region:       c.Region,
		BucketLookup: minio.BucketLookupPath,
		// The client sends no checksum of ours without it.
		TrailingHeaders: true,
		MaxRetries:      3,
	})
}

// Ping tells whether the bucket can be reached.
func (s *Store) Ping(ctx context.Context) error {
	there, err := s.client.BucketExists(ctx, s.bucket)
	if err == nil && !there {
		err = ErrNotFound
	}
	if err != nil {
		return fmt.Errorf("ping bucket %s: %w", s.bucket, err)
	}
	return nil
}

const shaKey = "Sha256" // of an object's user metadata, as the client spells it

// Put stores size bytes of r under key and returns when they are safe. An object of that key is replaced whole. No key
// may be the beginning of another's path: the embedded store refuses "a/b" where "a" is an object. sum is the content's
// SHA-256, hexadecimal; the server checks it, so a wrong one stores nothing.
//
// Errors: ErrInvalid for a malformed key, size or sum, ErrChecksum.
func (s *Store) Put(ctx context.Context, key string, r io.Reader, size int64, sum string) error {
	err := checkKey(key)
	if err == nil && (size < 0 || size > MaxSize) {
		err = fmt.Errorf("%w: size must be 0 to %d bytes", ErrInvalid, int64(MaxSize))
	}
	raw, decodeErr := hex.DecodeString(sum)
	if err == nil && (decodeErr != nil || len(raw) != 32) {
		err = fmt.Errorf("%w: checksum must be a SHA-256 of 64 hexadecimal digits", ErrInvalid)
	}
	if err == nil {
		_, err = s.client.PutObject(ctx, s.bucket, key, r, size, minio.PutObjectOptions{
			ContentType: "application/octet-stream",
			UserMetadata: map[string]string{
				shaKey:                  strings.ToLower(sum),
				"x-amz-checksum-sha256": base64.StdEncoding.EncodeToString(raw),
			},
			DisableMultipart: true, // one request: the server has the whole content to check
			// The checksum above is signed, and enough. Signing every chunk besides costs time, and versitygw leaves the
			// last chunk of an empty object on the connection, where it spoils the next request.
			DisableContentSha256: true,
		})
	}
	if err != nil {
		return fmt.Errorf("put object %q: %w", key, cause(err))
	}
	return nil
}

// Get opens an object. The caller closes the reader. Its content is not checked against Object.SHA256: who needs that
// hashes while reading.
func (s *Store) Get(ctx context.Context, key string) (io.ReadCloser, Object, error) {
	o, err := s.Stat(ctx, key)
	if err != nil {
		return nil, Object{}, err
	}
	r, err := s.client.GetObject(ctx, s.bucket, key, minio.GetObjectOptions{})
	if err != nil {
		return nil, Object{}, fmt.Errorf("get object %q: %w", key, cause(err))
	}
	return r, o, nil
}

// Stat returns what is known of an object, or ErrNotFound.
func (s *Store) Stat(ctx context.Context, key string) (Object, error) {
	err := checkKey(key)
	if err == nil {
		var info minio.ObjectInfo
		if info, err = s.client.StatObject(ctx, s.bucket, key, minio.StatObjectOptions{}); err == nil {
			return object(info), nil
		}
	}
	return Object{}, fmt.Errorf("stat object %q: %w", key, cause(err))
}

// Delete removes an object; that it was there does not matter.
func (s *Store) Delete(ctx context.Context, key string) error {
	err := checkKey(key)
	if err == nil {
		err = s.client.RemoveObject(ctx, s.bucket, key, minio.RemoveObjectOptions{})
	}
	if err = cause(err); err != nil && !errors.Is(err, ErrNotFound) {
		return fmt.Errorf("delete object %q: %w", key, err)
	}
	return nil
}

// List calls each with every object whose key begins with prefix, sorted by key, until each returns false.
func (s *Store) List(ctx context.Context, prefix string, each func(Object) bool) error {
	return s.ListAfter(ctx, prefix, "", each)
}

// ListAfter is List for keys after the one given; "" = all.
func (s *Store) ListAfter(ctx context.Context, prefix, after string, each func(Object) bool) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for info := range s.client.ListObjects(ctx, s.bucket, minio.ListObjectsOptions{Prefix: prefix, StartAfter: after, Recursive: true}) {
		if info.Err != nil {
			return fmt.Errorf("list objects %q: %w", prefix, cause(info.Err))
		}
		if !each(object(info)) {
			return nil
		}
	}
	return ctx.Err()
}

func object(info minio.ObjectInfo) Object {
	return Object{Key: info.Key, Size: info.Size, SHA256: info.UserMetadata[shaKey], Modified: info.LastModified.UTC()}
}

// checkKey admits what every store can keep: the embedded one makes files of keys.
func checkKey(key string) error {
	if key == "" || len(key) > 512 || key != path.Clean(key) || strings.HasPrefix(key, "/") || strings.HasPrefix(key, ".") ||
		strings.ContainsFunc(key, func(r rune) bool { return r < ' ' || r == '\\' || r == 0x7f || r == '\uFFFD' }) {
		return fmt.Errorf("%w: a key is a path of 1 to 512 bytes without empty words, '.' and '..', like \"apps/a1/1.2.0\"", ErrInvalid)
	}
	return nil
}

func cause(err error) error {
	if err == nil {
		return nil
	}
	switch minio.ToErrorResponse(err).Code {
	case "NoSuchKey", "NotFound", "NoSuchUpload":
		return fmt.Errorf("%w: %w", ErrNotFound, err)
	case "InvalidPart", "InvalidPartOrder", "EntityTooSmall":
		return fmt.Errorf("%w: %w", ErrParts, err)
	case "BadDigest", "XAmzContentChecksumMismatch", "XAmzContentSHA256Mismatch", "InvalidDigest":
		return fmt.Errorf("%w: %w", ErrChecksum, err)
	}
	return err
}
