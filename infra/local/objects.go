package local

import (
	"context"
	"crypto/rand"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/castor-iot/castor/shared/artifact"
	"github.com/versity/versitygw/backend/meta"
	"github.com/versity/versitygw/embedgw"
	"github.com/versity/versitygw/s3api"
)

// ObjectsConfig says how to start the object store.
type ObjectsConfig struct {
	// Dir keeps the objects and their key. It is made if missing, and must be on a file system with extended attributes.
	Dir string

	// Listen is the address: "127.0.0.1:9000"; any free port of the loopback interface if empty or with port 0. If another
	// platform of this process runs an object store already, its address is used.
	Listen string
}

// Objects is a running S3 object store with one bucket. What it has acknowledged is on disk.
type Objects struct {
	config artifact.Config
	close  func()
}

// StartObjects starts the object store of a platform and returns when it takes requests.
//
// versitygw can run once in a process only. Platforms side by side in one process share it: each has its own bucket,
// directory and key, and none can open another's. The last one that closes ends it.
func StartObjects(config ObjectsConfig) (*Objects, error) {
	o, err := startObjects(config)
	if err != nil {
		return nil, fmt.Errorf("start object store: %w", err)
	}
	return o, nil
}

func startObjects(config ObjectsConfig) (*Objects, error) {
	dir, err := filepath.Abs(config.Dir)
	if err != nil {
		return nil, err
	}
	bucketDir := filepath.Join(dir, "bucket")
	if err := os.MkdirAll(bucketDir, 0o700); err != nil {
		return nil, err
	}
	if err := (meta.XattrMeta{}).Test(bucketDir); err != nil {
		return nil, fmt.Errorf("%s needs a file system with extended attributes: %w", dir, err)
	}
	secret, err := secretFile(filepath.Join(dir, "key"))
	if err != nil {
		return nil, err
	}
	id := sha256.Sum256([]byte(dir)) // the same after a restart, another one for every directory
	bucket := "castor-" + hex.EncodeToString(id[:8])
	t := tenant{dir: bucketDir, access: bucket, secret: secret}

	address, err := shared.join(bucket, t, config.Listen)
	if err != nil {
		return nil, err
	}
	return &Objects{
		config: artifact.Config{Endpoint: address, AccessKey: t.access, SecretKey: t.secret, Bucket: bucket},
		close:  sync.OnceFunc(func() { shared.leave(bucket) }),
	}, nil
}

// Config is how to open the store.
func (o *Objects) Config() artifact.Config { return o.config }

// Close ends the store.
func (o *Objects) Close() { o.close() }

// shared is the one object store of this process. versitygw's package variables make it so.
var shared sharedStore

type sharedStore struct {
	mu      sync.Mutex
	tenants *tenants // nil while nothing runs
	address string
	stop    func()
}

func (s *sharedStore) join(bucket string, t tenant, listen string) (address string, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tenants == nil {
		if err := s.start(listen); err != nil {
			return "", err
		}
	}
	return s.address, s.tenants.add(bucket, t)
}

func (s *sharedStore) leave(bucket string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tenants.remove(bucket) == 0 {
		s.stop()
		s.tenants = nil
	}
}

// start tries several times when any port will do, because versitygw takes no listener: somebody else may get the port
// between our look and its own.
func (s *sharedStore) start(listen string) error {
	if listen == "" {
		listen = "127.0.0.1:0"
	}
	_, port, err := net.SplitHostPort(listen)
	if err != nil {
		return err
	}
	tries := 1
	if port == "0" {
		tries = 5
	}
	for range tries {
		if err = s.startAt(listen); err == nil {
			return nil
		}
	}
	return err
}

func (s *sharedStore) startAt(listen string) error {
	l, err := net.Listen("tcp", listen)
	if err != nil {
		return err
	}
	address := l.Addr().String()
	_ = l.Close()

	t, err := newTenants()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(context.Background())
	listening, ended := make(chan struct{}), make(chan error, 1)
	go func() {
		ended <- embedgw.RunVersityGW(ctx, t, &embedgw.Config{
			RootUserAccess:    "root-" + rand.Text(), // nobody knows it
			RootUserSecret:    rand.Text(),
			Region:            artifact.Region,
			Ports:             []string{address},
			MaxConnections:    1000,
			MaxRequests:       500,
			MultipartMaxParts: 10_000,
			Quiet:             true,
			KeepAlive:         true,
			IAMService:        accounts{t},
			S3Options:         []s3api.Option{s3api.WithOnListen(func() { close(listening) })},
		})
	}()
	select {
	case <-listening:
		s.tenants, s.address = t, address
		s.stop = func() { cancel(); <-ended }
		return nil
	case err := <-ended:
		cancel()
		if err == nil {
			err = errors.New("ended without an error")
		}
		return err
	case <-time.After(startTimeout):
		cancel()
		return fmt.Errorf("not ready after %s", startTimeout)
	}
}
