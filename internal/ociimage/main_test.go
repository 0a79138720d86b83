package ociimage_test

import (
	"os"
	"testing"

	"github.com/taxiway-ci/taxiway/internal/ociimage/imagetest"
)

func TestMain(m *testing.M) {
	imagetest.Enter()
	os.Exit(m.Run())
}
