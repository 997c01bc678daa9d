package secrets

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/platform"
	"github.com/gofrs/flock"
)

// Secrets besides those of package platform.
const (
	MongoURL      = platform.SecretMongoURL
	NATSToken     = platform.SecretNATSToken
	S3Access      = platform.SecretS3Access
	S3Secret      = platform.SecretS3Secret
	BasicUser     = "basic-auth-user" // who may manage functions at the user gateway
	BasicPassword = "basic-auth-password"

	mongoRoot     = "mongo-root-password" // of the stores of infra/compose and infra/kubernetes themselves
	mongoPassword = "mongo-password"
	minioUser     = "minio-root-user"
	minioPassword = "minio-root-password"
)

// A Plan says for what secrets are made.
type Plan struct {
	// Hosts are the names and addresses by which devices reach the MQTT gateways.
	Hosts []string

	// Gateways are the ids of the MQTT gateways; Functions the names of all functions.
	Gateways, Functions []string

	// Mongo is where MongoDB is: "mongo:27017".
	Mongo string

	// Renew has a new certificate made for the gateways.
	Renew bool

	Now time.Time
}

// A Result tells what Make did.
type Result struct {
	Made, Kept []string
	Notes      []string // what somebody should know or do
}

// lockFile is held while secrets are made. It stays: to take it away would let two in.
const lockFile = ".lock"

// validGateway is an id that can be the end of a secret's name on Kubernetes too.
var validGateway = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// ValidGateway tells whether a gateway may have that id: it becomes part of a secret's name.
func ValidGateway(id string) bool { return validGateway.MatchString(id) }

// MailPlaceholder is what the mail server's password is until somebody puts it there.
const MailPlaceholder = "put-the-password-of-your-mail-server-here"

func (p Plan) check() error {
	if err := CheckHosts(p.Hosts); err != nil {
		return fmt.Errorf("host: %w", err)
	}
	for _, g := range p.Gateways {
		if !ValidGateway(g) {
			return fmt.Errorf("gateway: %q must have lower case letters, digits and '-' only, 63 at most, because it becomes part of a secret's name: operational-1", g)
		}
	}
	host, port, err := net.SplitHostPort(p.Mongo)
	if n, portErr := strconv.ParseUint(port, 10, 16); err != nil || portErr != nil || n == 0 || !isHost(host) {
		return fmt.Errorf("mongo: %q is not a host and a port like mongo:27017; for any other MongoDB URL put it into the file %s before", p.Mongo, MongoURL)
	}
	return nil
}

// Make makes all secrets that the plan needs and are not there, and checks those that are. It can be repeated: a folder that
// was left half-made is completed.
func (d Dir) Make(p Plan) (r Result, err error) {
	if err := p.check(); err != nil {
		return r, err
	}
	if err := d.Create(); err != nil {
		return r, err
	}
	lock := flock.New(d.Path(lockFile), flock.SetPermissions(0o600))
	if ok, err := lock.TryLock(); err != nil {
		return r, fmt.Errorf("the folder cannot be locked: %w", err)
	} else if !ok {
		return r, fmt.Errorf("another castor is making secrets in %s now: wait until it has ended", d)
	}
	defer func() { err = errors.Join(err, lock.Unlock()) }()
	before, err := d.names()
	if err != nil {
		return r, err
	}
	defer func() {
		slices.Sort(r.Made)
		for _, name := range before {
			if !slices.Contains(r.Made, name) {
				r.Kept = append(r.Kept, name)
			}
		}
	}()
	if r.Made, err = d.Platform(p.Now); err != nil {
		return r, err
	}
	made, notes, err := d.certificate(p)
	r.Made, r.Notes = append(r.Made, made...), notes
	if err != nil {
		return r, err
	}
	if made, err = d.stores(p); err != nil {
		return r, err
	}
	r.Made = append(r.Made, made...)
	if made, err = d.parts(p); err != nil {
		return r, err
	}
	r.Made = append(r.Made, made...)
	return r, nil
}

// stores makes what the platform shows to its stores, and they to it. Each is written after those it is made from.
func (d Dir) stores(p Plan) (made []string, err error) {
	random := func() ([]byte, error) { return Random(24), nil }
	fixed := func(s string) func() ([]byte, error) {
		return func() ([]byte, error) { return []byte(s), nil }
	}
	mongo := func() ([]byte, error) {
		password, err := d.Read(mongoPassword)
		u := url.URL{Scheme: "mongodb", User: url.UserPassword("castor", string(password)), Host: p.Mongo, Path: "/castor"}
		return []byte(u.String()), err
	}
	for _, s := range []struct {
		name  string
		value func() ([]byte, error)
		not   string // nor if this one is there: then it is somebody else's store
	}{
		{mongoRoot, random, MongoURL}, {mongoPassword, random, MongoURL}, {MongoURL, mongo, ""},
		{minioUser, fixed("minio-root"), S3Secret}, {minioPassword, random, S3Secret}, {S3Access, fixed("castor"), ""}, {S3Secret, random, ""},
		{NATSToken, random, ""},
		{BasicUser, fixed("admin"), ""}, {BasicPassword, random, ""},
		{platform.SecretSMTP, fixed(MailPlaceholder), ""},
	} {
		if d.Has(s.name) {
			if _, err := d.Read(s.name); err != nil {
				return made, err
			}
			continue
		}
		if s.not != "" && d.Has(s.not) {
			continue
		}
		value, err := s.value()
		if err == nil {
			err = d.Add(s.name, value)
		}
		if err != nil {
			return made, err
		}
		made = append(made, s.name)
	}
	at, err := d.Read(MongoURL)
	if err == nil && !strings.HasPrefix(string(at), "mongodb://") && !strings.HasPrefix(string(at), "mongodb+srv://") {
		err = fmt.Errorf("%s must begin with mongodb:// or mongodb+srv://", d.Path(MongoURL))
	}
	return made, err
}

// parts makes the secrets of all parts from the one that function users knows them by.
func (d Dir) parts(p Plan) (made []string, err error) {
	key, err := d.Read(platform.SecretParts)
	if err != nil {
		return nil, err
	}
	type part struct{ name, gateway string }
	parts := []part{{"events", ""}, {"stream", ""}}
	for _, f := range p.Functions {
		parts = append(parts, part{f, ""})
	}
	for _, g := range p.Gateways {
		parts = append(parts, part{"connector", g})
	}
	for _, part := range parts {
		name, want := platform.PartSecret(part.name, part.gateway), []byte(platform.DerivePart(key, part.name, part.gateway))
		if slices.Contains(made, name) {
			continue // a gateway that was given twice
		}
		if !d.Has(name) {
			if err := d.Add(name, want); err != nil {
				return made, err
			}
			made = append(made, name)
		} else if is, err := d.Read(name); err != nil {
			return made, err
		} else if !same(is, want) {
			return made, fmt.Errorf("secret %s in %s was not made from the %s beside it: take it away to have it made again, or put the right %[3]s back from your backup", name, d, platform.SecretParts)
		}
	}
	return made, nil
}

// names lists the secrets that are there. What an interrupted write has left is taken away.
func (d Dir) names() ([]string, error) {
	files, err := os.ReadDir(string(d))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, f := range files {
		switch {
		case strings.HasPrefix(f.Name(), ".new-"):
			_ = os.Remove(d.Path(f.Name())) // it is in nobody's way
		case !f.IsDir() && !strings.HasPrefix(f.Name(), "."):
			names = append(names, f.Name())
		}
	}
	return names, nil
}

// A Store is what a store that the platform comes with is given.
type Store struct {
	Store   string
	Secrets []string
}

// Stores lists the stores' own secrets.
func Stores() []Store {
	return []Store{
		{"mongo", []string{mongoRoot, mongoPassword}},
		{"nats", []string{NATSToken}},
		{"minio", []string{minioUser, minioPassword, S3Access, S3Secret}},
	}
}
