// Package mongo keeps a store's documents in MongoDB (4.4 or newer; standalone, replica set or sharded). It is the driver
// for several machines; package embedded is the one for one.
//
// It uses commands on single documents only, and always waits until a write is in the journals of a majority, and reads
// from the primary, whatever the URL says. It makes no database users and tunes no server.
package mongo

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"go.mongodb.org/mongo-driver/v2/bson"
	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
	"go.mongodb.org/mongo-driver/v2/mongo/readpref"
	"go.mongodb.org/mongo-driver/v2/mongo/writeconcern"
	"go.mongodb.org/mongo-driver/v2/x/mongo/driver/topology"

	"github.com/castor-iot/castor/shared/store"
)

// DefaultDatabase is the database of a URL that names none.
const DefaultDatabase = "castor"

// ErrNoAnswer is the store.ErrUnavailable of Open where no server is at the URL; the hosts are named, never who signs in.
var ErrNoAnswer = fmt.Errorf("%w: no MongoDB answers", store.ErrUnavailable)

// selectionLimit is how long an operation waits for a server that is not there.
const selectionLimit = 5 * time.Second

// Open connects to the MongoDB at a URL such as mongodb://user:password@host:27017/castor, whose path names the database.
// It returns ErrNoAnswer when no server answers, and store.ErrInvalid when the URL is none.
func Open(ctx context.Context, at string) (*store.DB, error) {
	name, err := databaseName(at)
	if err != nil {
		return nil, err
	}
	journal := true
	concern := &writeconcern.WriteConcern{W: writeconcern.WCMajority, Journal: &journal}
	opts := options.Client().
		SetServerSelectionTimeout(selectionLimit).
		ApplyURI(at).
		SetWriteConcern(concern).
		SetReadPreference(readpref.Primary()).
		SetAppName("castor")
	client, err := mongo.Connect(opts)
	if err != nil {
		return nil, fmt.Errorf("%w: MongoDB URL: %w", store.ErrInvalid, err)
	}
	d := &driver{client: client, db: client.Database(name)}
	var info struct {
		Version string `bson:"version"`
	}
	if err := d.db.RunCommand(ctx, bson.D{{Key: "buildInfo", Value: 1}}).Decode(&info); err != nil {
		d.Close() // nothing was begun; why it does not answer is what matters
		if selection := (topology.ServerSelectionError{}); errors.As(err, &selection) {
			// The driver's words are a dump of what it knows of the servers.
			return nil, fmt.Errorf("%w at %s", ErrNoAnswer, strings.Join(opts.Hosts, ", "))
		}
		return nil, storeError(err)
	}
	d.name = "mongodb " + info.Version
	return store.New(d), nil
}

func databaseName(at string) (string, error) {
	// The hosts of a URL may be a list, which net/url does not read: only what comes after them matters here.
	_, rest, ok := strings.Cut(at, "://")
	if !ok {
		return "", fmt.Errorf("%w: MongoDB URL must begin with mongodb:// or mongodb+srv://", store.ErrInvalid)
	}
	rest, _, _ = strings.Cut(rest, "?")
	_, path, _ := strings.Cut(rest, "/")
	name, err := url.PathUnescape(path)
	if err != nil || strings.ContainsAny(name, "/\\. \"$") || len(name) > 63 {
		return "", fmt.Errorf("%w: the path of the MongoDB URL is not the name of a database", store.ErrInvalid)
	}
	if name == "" {
		return DefaultDatabase, nil
	}
	return name, nil
}

// driver implements store.Driver.
type driver struct {
	client *mongo.Client
	db     *mongo.Database
	name   string
}

func (d *driver) Name() string { return d.name }

func (d *driver) Ping(ctx context.Context) error {
	return storeError(d.client.Ping(ctx, readpref.Primary()))
}

func (d *driver) Close() error {
	ctx, cancel := context.WithTimeout(context.Background(), selectionLimit)
	defer cancel()
	err := d.client.Disconnect(ctx)
	if errors.Is(err, mongo.ErrClientDisconnected) {
		return nil
	}
	return storeError(err)
}

// MongoDB's numbers for errors that mean something to the store.
var sentinels = map[int]error{
	2:     store.ErrInvalid, // BadValue
	14:    store.ErrInvalid, // TypeMismatch
	28:    store.ErrInvalid, // PathNotViable
	10334: store.ErrTooLarge,
	17280: store.ErrTooLarge, // KeyTooLong
	17419: store.ErrTooLarge,
	17420: store.ErrTooLarge,
	11000: store.ErrExists,
	11001: store.ErrExists,
	12582: store.ErrExists,
}

// storeError makes an error of the driver or server one of the store's.
func storeError(err error) error {
	switch {
	case err == nil:
		return nil
	case ambiguous(err):
		return fmt.Errorf("%w: %w", store.ErrUnavailable, err)
	}
	var server mongo.ServerError
	if errors.As(err, &server) {
		for code, sentinel := range sentinels {
			if server.HasErrorCode(code) {
				return fmt.Errorf("%w: %w", sentinel, err)
			}
		}
	}
	return err
}

// ambiguous tells of an error that leaves open whether the server has done what it was asked.
func ambiguous(err error) bool {
	if mongo.IsNetworkError(err) || mongo.IsTimeout(err) || errors.Is(err, mongo.ErrClientDisconnected) || errors.Is(err, context.Canceled) {
		return true
	}
	if selection := (topology.ServerSelectionError{}); errors.As(err, &selection) {
		return true
	}
	var pool interface{ Retryable() bool } // the driver gave up a connection because of another operation's error
	if errors.As(err, &pool) && pool.Retryable() {
		return true
	}
	var bulk mongo.BulkWriteException
	if errors.As(err, &bulk) && bulk.WriteConcernError != nil {
		return true
	}
	var write mongo.WriteException
	if errors.As(err, &write) && write.WriteConcernError != nil {
		return true
	}
	var labeled mongo.LabeledError
	if errors.As(err, &labeled) && (labeled.HasErrorLabel("RetryableWriteError") || labeled.HasErrorLabel("TransientTransactionError")) {
		return true
	}
	var server mongo.ServerError
	if errors.As(err, &server) {
		for _, code := range []int{6, 7, 89, 91, 189, 262, 9001, 10058, 10107, 11600, 11602, 13435, 13436} {
			if server.HasErrorCode(code) { // a server that is going down, or is no longer the primary
				return true
			}
		}
	}
	return false
}
