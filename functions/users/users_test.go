package users_test

import (
	"context"
	"errors"
	"testing"

	"github.com/castor-iot/castor/shared/access"
	"github.com/castor-iot/castor/shared/api"
	"github.com/castor-iot/castor/tests/functiontest"
)

func TestFirstAdministratorSignsIn(t *testing.T) {
	w := functiontest.New(t, nil)
	me, err := w.Admin().Me(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if me.ID != "admin" || len(me.Roles) != 1 || me.Roles[0] != access.Maintainer {
		t.Errorf("the first administrator is %+v", me)
	}
}

func TestUserLife(t *testing.T) {
	ctx := context.Background()
	w := functiontest.New(t, nil)
	admin := w.Admin()
	ada := w.User("ada", []access.Role{access.Owner}, "press-shop")
	me, err := ada.Me(ctx)
	if err != nil || me.ID != "ada" || len(me.Groups) != 1 || me.Groups[0] != "press-shop" {
		t.Fatalf("me: %+v, %v", me, err)
	}
	if _, err := ada.ListUsers(ctx, ""); !errors.Is(err, access.ErrDenied) {
		t.Errorf("an owner lists the users: %v", err)
	}
	if err := ada.SetPassword(ctx, "ada", api.PasswordChange{Old: functiontest.Password, New: "another good password"}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Nobody().Login(ctx, api.Login{Name: "ada", Password: functiontest.Password}); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("the old password: %v", err)
	}
	w.Login("ada", "another good password")
	if err := admin.DeleteUser(ctx, "ada"); err != nil {
		t.Fatal(err)
	}
	if _, err := ada.Me(ctx); !errors.Is(err, access.ErrUnauthenticated) {
		t.Errorf("a deleted user's token: %v", err)
	}
	page, err := admin.ListUsers(ctx, "")
	if err != nil || len(page.Items) != 1 {
		t.Errorf("users: %+v, %v", page, err)
	}
}
