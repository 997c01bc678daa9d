package artifacts

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/shared/faas"
	"github.com/castor-iot/castor/shared/platform"
	"github.com/castor-iot/castor/shared/store"
)

// An artifact as it is stored.
type artifact struct {
	api.Artifact `bson:",inline"`

	// Scopes are the lists it is in (see scopesOf), Order its place in them. One that nobody sees is in none.
	Scopes []string `bson:"scopes,omitempty"`
	Order  string   `bson:"order"`

	// Objects are the keys of the objects it needs. No object is removed while an artifact that has not ended names it. A
	// ready artifact reads the first; a second one is there while the artifact goes over to another's object (see adopt).
	Objects []string `bson:"objects"`

	// Upload is the object store's id of the upload in parts.
	Upload string `bson:"upload,omitempty"`

	// Hash is the state of SHA-256 after Verified bytes, so that any instance goes on with it.
	Hash []byte `bson:"hash,omitempty"`

	// Other is how far another's object was checked before this artifact goes over to it.
	Other *reading `bson:"other,omitempty"`

	// Since is when the state was entered, or when the artifact was last worked at.
	Since time.Time `bson:"since"`

	// Due is when somebody is to have gone on with the upload or its verification; the zero time where nothing is under way.
	Due time.Time `bson:"due,omitempty"`

	// Owed tells that the group's quota is still to be given back what this one took.
	Owed bool `bson:"owed,omitempty"`

	// Tidy is when objects that it does not need any more are to be removed; zero = nothing is to be done.
	Tidy time.Time `bson:"tidy,omitempty"`
}

// States that only this function sees.
const (
	reserving api.ArtifactState = "reserving" // room for it is asked for
	deleted   api.ArtifactState = "deleted"   // what is left until its objects are gone
)

// living are the states of artifacts whose objects must stay.
var living = []api.ArtifactState{reserving, api.ArtifactUploading, api.ArtifactVerifying, api.ArtifactReady}

func (v *artifact) lives() bool { return v.State != deleted && v.State != api.ArtifactRefused }

// root is where the contents are in the object store; other folders of the bucket are others'.
const root = "sha256/"

// key is where an artifact's own upload goes: under its content's address, and apart from every other upload, so that nothing
// that is removed late can be somebody else's.
func key(sum, id string) string { return root + sum[:2] + "/" + sum + "/" + id }

func (v *artifact) key() string { return key(v.SHA256, v.ID) }

// everything is the scope that all artifacts are in.
const everything = "*"

func ownerScope(group string) string { return "group:" + group }

func tagged(scope, tag string) string {
	if tag == "" {
		return scope
	}
	return scope + " tag:" + tag
}

// show puts the artifact into the lists of who may see it, as a whole and by tag.
func (v *artifact) show() {
	v.Scopes = nil
	for _, s := range []string{everything, ownerScope(v.Owner)} {
		v.Scopes = append(v.Scopes, s)
		for _, t := range v.Tags {
			v.Scopes = append(v.Scopes, tagged(s, t))
		}
	}
	v.Order = orderOf(v.Name) + "\x01" + v.ID
}

// orderOf is how names are compared: without regard to case.
func orderOf(name string) string { return strings.ToLower(name) }

func object(v *artifact) access.Object {
	return access.Object{Name: "artifact:" + v.ID, Owner: v.Owner}
}

// find returns the artifact of the path if the caller may use right on it.
func (f *function) find(ctx context.Context, c *faas.Call, right access.Right) (artifact, error) {
	id := c.Var("id")
	missing := platform.NotFound("artifact", id)
	v, err := f.artifacts.Get(ctx, id)
	if errors.Is(err, store.ErrNotFound) || errors.Is(err, store.ErrInvalid) || err == nil && (v.State == deleted || v.State == reserving) {
		return artifact{}, missing
	}
	if err == nil {
		err = f.p.May(ctx, c.Caller, right, object(&v), "artifact")
	}
	if err != nil {
		return artifact{}, err
	}
	return v, nil
}

func (f *function) get(ctx context.Context, c *faas.Call, _ faas.None) (api.Artifact, error) {
	v, err := f.find(ctx, c, access.Read)
	return v.Artifact, err
}

// update changes an artifact that lives; what has ended meanwhile is ErrConflict, or not there.
func (f *function) update(ctx context.Context, id string, change func(*artifact) error) (artifact, error) {
	v, err := f.artifacts.Update(ctx, id, func(v *artifact) error {
		if !v.lives() {
			return fmt.Errorf("%w: artifact %s has ended meanwhile", api.ErrConflict, id)
		}
		return change(v)
	})
	if errors.Is(err, store.ErrNotFound) {
		err = platform.NotFound("artifact", id)
	}
	return v, err
}
