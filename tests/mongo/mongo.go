// Package mongo gives tests a MongoDB server: the one at CASTOR_TEST_MONGO_URL; else a mongod found on PATH; else
// mongo-java-server, a stand-in that speaks the same protocol, fetched by Maven from pom.xml. It is for tests alone.
package mongo

import (
	"context"
	"crypto/rand"
	"fmt"
	"net/url"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"
)

// startLimit is how long a server may take to come up, its download included.
const startLimit = 3 * time.Minute

// A Server is what tests run on.
type Server struct {
	Name    string // as the tests' output names it, such as "mongod 8.0.1 (/usr/bin/mongod)"
	URL     string // without a database
	StandIn bool   // whether it is not MongoDB itself: it explains nothing and ignores partial indexes
}

var found = sync.OnceValues(find)

// Start returns the URL of a new, empty database on the server that this process's tests share, which is started for the
// first of them and ends with the process. The database is dropped at the end of the test. Without any server the test is
// skipped with a line on standard error, or fails if CASTOR_REQUIRE_MONGO is 1.
func Start(tb testing.TB) (url string) {
	tb.Helper()
	return Find(tb).database(tb)
}

// Any returns the server without a test; it ends with the process.
func Any() (Server, error) { return found() }

// Find returns the server, as Start does, without making a database.
func Find(tb testing.TB) Server {
	tb.Helper()
	s, err := found()
	if err != nil {
		if os.Getenv("CASTOR_REQUIRE_MONGO") == "1" {
			tb.Fatalf("no MongoDB server to test on: %v", err)
		}
		fmt.Fprintf(os.Stderr, "SKIPPED: %s has no MongoDB server to test on: %v\n", tb.Name(), err)
		tb.SkipNow()
	}
	tb.Logf("MongoDB server: %s", s.Name)
	return s
}

func find() (Server, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startLimit)
	defer cancel()
	if at := os.Getenv("CASTOR_TEST_MONGO_URL"); at != "" {
		return name(ctx, Server{Name: "CASTOR_TEST_MONGO_URL", URL: at})
	}
	s, mongodErr := startMongod(ctx)
	if mongodErr == nil {
		return name(ctx, s)
	}
	s, javaErr := startJava(ctx)
	if javaErr == nil {
		return name(ctx, s)
	}
	return Server{}, fmt.Errorf("set CASTOR_TEST_MONGO_URL, or install mongod (%w), or Java and Maven (%w)", mongodErr, javaErr)
}

// name adds the version, which also shows that the server answers.
func name(ctx context.Context, s Server) (Server, error) {
	client, err := mongo.Connect(options.Client().ApplyURI(s.URL).SetServerSelectionTimeout(startLimit))
	if err != nil {
		return s, err
	}
	defer client.Disconnect(context.WithoutCancel(ctx))
	var info struct {
		Version string `bson:"version"`
	}
	err = client.Database("admin").RunCommand(ctx, map[string]int{"buildInfo": 1}).Decode(&info)
	if err != nil {
		return s, fmt.Errorf("%s: %w", s.Name, err)
	}
	s.Name = fmt.Sprintf("%s, version %s", s.Name, info.Version)
	return s, nil
}

// database returns the URL of a database that nobody else uses, and drops it at the end of the test.
func (s Server) database(tb testing.TB) string {
	tb.Helper()
	u, err := url.Parse(s.URL)
	if err != nil {
		tb.Fatal(err)
	}
	name := "castor-test-" + strings.ToLower(rand.Text()[:12])
	if auth := strings.Trim(u.Path, "/"); auth != "" && u.User != nil && !u.Query().Has("authSource") {
		q := u.Query() // the database of a URL is also where its user is looked up
		q.Set("authSource", auth)
		u.RawQuery = q.Encode()
	}
	u.Path = "/" + name
	tb.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		client, err := mongo.Connect(options.Client().ApplyURI(u.String()))
		if err != nil {
			tb.Error(err)
			return
		}
		defer client.Disconnect(ctx)
		if err := client.Database(name).Drop(ctx); err != nil && !s.StandIn { // whose data ends with it
			tb.Errorf("dropping the test's database: %v", err)
		}
	})
	return u.String()
}
