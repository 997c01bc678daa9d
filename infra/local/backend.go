package local

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/versity/versitygw/auth"
	"github.com/versity/versitygw/backend"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/backend/posix"
	"github.com/versity/versitygw/s3err"
	"github.com/versity/versitygw/s3response"
)

// maxCopy is the largest object that is copied in one request, as at Amazon.
const maxCopy = 5 << 30

// A tenant is one platform's bucket: where its objects lie and whose key opens it.
type tenant struct {
	dir            string // absolute
	access, secret string
}

// tenants is the part of the object store that a platform needs, for several platforms of one process: each has a bucket
// in its own directory. It hands the work to versitygw's file backend, under the bucket's absolute path instead of its
// name. So the backend does not depend on the working directory of the process, which it would otherwise change.
//
// The file backend leaves it to the kernel when data reach the disk; tenants makes sure of it before a write is answered.
type tenants struct {
	backend.BackendUnsupported
	files *posix.Posix

	mu     sync.RWMutex
	bucket map[string]tenant
}

func newTenants() (*tenants, error) {
	here, err := os.Getwd()
	if err != nil {
		return nil, err
	}
	files, err := posix.New(here, meta.XattrMeta{}, posix.PosixOpts{
		NewDirPerm:          0o700,
		NewFilePerm:         0o600,
		CopyObjectThreshold: maxCopy,
		ForceNoObjLockFile:  true, // it would lie in the working directory; one process needs none
	})
	if err != nil {
		return nil, err
	}
	return &tenants{files: files, bucket: make(map[string]tenant)}, nil
}

func (t *tenants) add(bucket string, tenant tenant) error {
	t.mu.Lock()
	defer t.mu.Unlock()
	if _, ok := t.bucket[bucket]; ok {
		return fmt.Errorf("directory %s is in use by another object store", tenant.dir)
	}
	t.bucket[bucket] = tenant
	return nil
}

func (t *tenants) remove(bucket string) (left int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	delete(t.bucket, bucket)
	return len(t.bucket)
}

// at replaces a bucket's name by its path.
func (t *tenants) at(bucket *string) error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if bucket != nil {
		if tenant, ok := t.bucket[*bucket]; ok {
			*bucket = tenant.dir
			return nil
		}
	}
	return s3err.GetAPIError(s3err.ErrNoSuchBucket)
}

// sync brings a written object to the disk, with the names of all directories on its way.
func (t *tenants) sync(dir, key string) error {
	path := filepath.Join(dir, filepath.FromSlash(key))
	for {
		f, err := os.Open(path)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
		if path == dir {
			return nil
		}
		path = filepath.Dir(path)
	}
}

func (t *tenants) String() string { return "castor" }
func (t *tenants) Shutdown()      { t.files.Shutdown() }

// GetBucketAcl gives a bucket to its tenant's key and to nobody else.
func (t *tenants) GetBucketAcl(_ context.Context, in *s3.GetBucketAclInput) ([]byte, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	tenant, ok := t.bucket[*in.Bucket]
	if !ok {
		return nil, s3err.GetAPIError(s3err.ErrNoSuchBucket)
	}
	return json.Marshal(auth.ACL{Owner: tenant.access, Grantees: []auth.Grantee{{
		Permission: auth.PermissionFullControl, Access: tenant.access, Type: types.TypeCanonicalUser,
	}}})
}

func (t *tenants) GetBucketPolicy(context.Context, string) ([]byte, error) {
	return nil, s3err.GetAPIError(s3err.ErrNoSuchBucketPolicy)
}

func (t *tenants) GetBucketCors(context.Context, string) ([]byte, error) {
	return nil, s3err.GetAPIError(s3err.ErrNoSuchCORSConfiguration)
}

func (t *tenants) GetBucketVersioning(context.Context, string) (s3response.GetBucketVersioningOutput, error) {
	return s3response.GetBucketVersioningOutput{}, nil
}

func (t *tenants) GetObjectLockConfiguration(context.Context, string) ([]byte, error) {
	return nil, s3err.GetAPIError(s3err.ErrObjectLockConfigurationNotFound)
}

func (t *tenants) HeadBucket(ctx context.Context, in *s3.HeadBucketInput) (*s3.HeadBucketOutput, error) {
	if err := t.at(in.Bucket); err != nil {
		return nil, err
	}
	return t.files.HeadBucket(ctx, in)
}

func (t *tenants) PutObject(ctx context.Context, in s3response.PutObjectInput) (s3response.PutObjectOutput, error) {
	if err := t.at(in.Bucket); err != nil {
		return s3response.PutObjectOutput{}, err
	}
	in.Body = whole(in.Body, in.ContentLength)
	out, err := t.files.PutObject(ctx, in)
	if err == nil {
		err = t.sync(*in.Bucket, *in.Key)
	}
	return out, err
}

func (t *tenants) HeadObject(ctx context.Context, in *s3.HeadObjectInput) (*s3.HeadObjectOutput, error) {
	if err := t.at(in.Bucket); err != nil {
		return nil, err
	}
	return t.files.HeadObject(ctx, in)
}

func (t *tenants) GetObject(ctx context.Context, in *s3.GetObjectInput) (*s3.GetObjectOutput, error) {
	if err := t.at(in.Bucket); err != nil {
		return nil, err
	}
	return t.files.GetObject(ctx, in)
}

func (t *tenants) DeleteObject(ctx context.Context, in *s3.DeleteObjectInput) (*s3.DeleteObjectOutput, error) {
	if err := t.at(in.Bucket); err != nil {
		return nil, err
	}
	return t.files.DeleteObject(ctx, in)
}

func (t *tenants) ListObjectsV2(ctx context.Context, in *s3.ListObjectsV2Input) (s3response.ListObjectsV2Result, error) {
	name := *in.Bucket
	if err := t.at(in.Bucket); err != nil {
		return s3response.ListObjectsV2Result{}, err
	}
	out, err := t.files.ListObjectsV2(ctx, in)
	out.Name = &name
	return out, err
}

func (t *tenants) CreateMultipartUpload(ctx context.Context, in s3response.CreateMultipartUploadInput) (s3response.InitiateMultipartUploadResult, error) {
	name := *in.Bucket
	if err := t.at(in.Bucket); err != nil {
		return s3response.InitiateMultipartUploadResult{}, err
	}
	out, err := t.files.CreateMultipartUpload(ctx, in)
	out.Bucket = name
	return out, err
}

func (t *tenants) UploadPart(ctx context.Context, in *s3.UploadPartInput) (*s3.UploadPartOutput, error) {
	if err := t.at(in.Bucket); err != nil {
		return nil, err
	}
	in.Body = whole(in.Body, in.ContentLength)
	return t.files.UploadPart(ctx, in)
}

func (t *tenants) CompleteMultipartUpload(ctx context.Context, in *s3.CompleteMultipartUploadInput) (s3response.CompleteMultipartUploadResult, string, error) {
	name := *in.Bucket
	if err := t.at(in.Bucket); err != nil {
		return s3response.CompleteMultipartUploadResult{}, "", err
	}
	out, version, err := t.files.CompleteMultipartUpload(ctx, in)
	if err == nil {
		err = t.sync(*in.Bucket, *in.Key)
	}
	out.Bucket, out.Location = &name, nil
	return out, version, err
}

func (t *tenants) AbortMultipartUpload(ctx context.Context, in *s3.AbortMultipartUploadInput) error {
	if err := t.at(in.Bucket); err != nil {
		return err
	}
	return t.files.AbortMultipartUpload(ctx, in)
}

func (t *tenants) ListParts(ctx context.Context, in *s3.ListPartsInput) (s3response.ListPartsResult, error) {
	name := *in.Bucket
	if err := t.at(in.Bucket); err != nil {
		return s3response.ListPartsResult{}, err
	}
	out, err := t.files.ListParts(ctx, in)
	out.Bucket = name
	return out, err
}

func (t *tenants) ListMultipartUploads(ctx context.Context, in *s3.ListMultipartUploadsInput) (s3response.ListMultipartUploadsResult, error) {
	name := *in.Bucket
	if err := t.at(in.Bucket); err != nil {
		return s3response.ListMultipartUploadsResult{}, err
	}
	out, err := t.files.ListMultipartUploads(ctx, in)
	out.Bucket = name
	return out, err
}
