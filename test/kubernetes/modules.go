package kubernetes

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
)

// module is a Go module of which we read files and build nothing, so it is not in go.mod.
type module struct{ path, version, sum string }

// Where the schemas come from. sum is that of go.sum.
var (
	// openAPI holds api/openapi-spec/v3, which says what fields there are, and the code that it is made from.
	openAPI = module{"k8s.io/kubernetes", "v1.36.3", "h1:qDQdoMiluAE2Eab6Fa52YV+WjiGz9mZFFoagEA6cI+o="}
	// keda holds config/crd/bases.
	keda = module{"github.com/kedacore/keda/v2", "v2.21.0", "h1:R6z2HZvstK4RLUMxroNACzBj74xGxt3kG59b5Xc+Xps="}
)

// folder downloads the module, if it is not there yet, and returns where it is.
func (m module) folder() (string, error) {
	command := exec.Command("go", "mod", "download", "-json", m.path+"@"+m.version)
	command.Dir = os.TempDir() // not in a module: go.mod of none is changed
	var stderr bytes.Buffer
	command.Stderr = &stderr
	out, err := command.Output()
	var got struct{ Dir, Sum, Error string }
	if parsed := json.Unmarshal(out, &got); err != nil || parsed != nil || got.Error != "" {
		return "", fmt.Errorf("download %s %s: %v %s %s", m.path, m.version, err, got.Error, stderr.String())
	}
	if got.Sum != m.sum {
		return "", fmt.Errorf("%s %s has the sum %s, want %s", m.path, m.version, got.Sum, m.sum)
	}
	return got.Dir, nil
}
