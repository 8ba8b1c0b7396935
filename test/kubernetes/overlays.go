package kubernetes

import (
	"fmt"

	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/kyaml/filesys"
)

// object is a manifest, or a part of one.
type object = map[string]any

// build returns the manifests that kubectl apply -k would send from a folder.
func build(folder string) ([]object, error) {
	built, err := krusty.MakeKustomizer(krusty.MakeDefaultOptions()).Run(filesys.MakeFsOnDisk(), folder)
	if err != nil {
		return nil, fmt.Errorf("build %s: %w", folder, err)
	}
	var all []object
	for _, resource := range built.Resources() {
		one, err := resource.Map()
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", folder, resource.CurId(), err)
		}
		all = append(all, one)
	}
	return all, nil
}
