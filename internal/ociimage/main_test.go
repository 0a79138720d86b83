package ociimage_test

import (
	"testing"

	"github.com/taxiway-ci/taxiway/internal/ociimage/imagetest"
)

func TestMain(m *testing.M) {
	imagetest.Enter()
	m.Run()
}
