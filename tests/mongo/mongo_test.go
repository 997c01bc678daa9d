package mongo_test

import (
	"context"
	"testing"

	driver "go.mongodb.org/mongo-driver/v2/mongo"
	"go.mongodb.org/mongo-driver/v2/mongo/options"

	"github.com/castor-iot/castor/tests/mongo"
)

// Run it with -v to see which server the tests run on.
func TestServer(t *testing.T) {
	client, err := driver.Connect(options.Client().ApplyURI(mongo.Start(t)))
	if err != nil {
		t.Fatal(err)
	}
	defer client.Disconnect(context.Background())
	if err := client.Ping(t.Context(), nil); err != nil {
		t.Fatalf("the server does not answer: %v", err)
	}
}
