package kubernetes

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
)

// enums are the values that a field may have, by struct and by the field's name in YAML.
type enums map[string]map[string][]any

// enumsOf reads the values from the Go types of Kubernetes: a type that is marked +enum, its constants, and the
// fields that have it. The OpenAPI documents of Kubernetes say only that they are strings. core are the values of
// core/v1, which other groups import as v1.
func enumsOf(folder string, core map[string][]any) (enums, map[string][]any, error) {
	files, err := filepath.Glob(filepath.Join(folder, "types*.go"))
	if err != nil {
		return nil, nil, err
	}
	values, structs := map[string][]any{}, map[string]*ast.StructType{}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ParseComments)
		if err != nil {
			return nil, nil, err
		}
		collect(parsed, values, structs)
	}
	own := maps.Clone(values)
	for name, all := range core {
		values["v1."+name] = all
	}
	found := enums{}
	for name, fields := range structs {
		found[name] = map[string][]any{}
		for _, field := range fields.Fields.List {
			if all := values[nameOf(field.Type)]; len(all) > 0 && field.Tag != nil {
				found[name][yamlName(field)] = all
			}
		}
	}
	return found, own, nil
}

// unmarked are enumerations all the same.
var unmarked = map[string]bool{"LabelSelectorOperator": true}

// collect notes the values of each enumeration, and all structs. Constants come after their type's mark or
// before it, so those of every type are noted and the unmarked ones removed.
func collect(file *ast.File, values map[string][]any, structs map[string]*ast.StructType) {
	marked, constants := map[string]bool{}, map[string][]any{}
	for _, decl := range file.Decls {
		general, ok := decl.(*ast.GenDecl)
		if !ok {
			continue
		}
		for _, spec := range general.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if fields, ok := s.Type.(*ast.StructType); ok {
					structs[s.Name.Name] = fields
				}
				marked[s.Name.Name] = strings.Contains(general.Doc.Text()+s.Doc.Text(), "+enum") || unmarked[s.Name.Name]
			case *ast.ValueSpec:
				for _, value := range s.Values {
					if text, ok := value.(*ast.BasicLit); ok && text.Kind == token.STRING {
						unquoted, _ := strconv.Unquote(text.Value) // the parser took it
						constants[nameOf(s.Type)] = append(constants[nameOf(s.Type)], unquoted)
					}
				}
			}
		}
	}
	for name, all := range constants {
		if marked[name] {
			values[name] = append(values[name], all...)
		}
	}
}

// nameOf returns the name of a type, also of a pointer to it and of a list of it.
func nameOf(t ast.Expr) string {
	switch t := t.(type) {
	case *ast.Ident:
		return t.Name
	case *ast.SelectorExpr:
		return nameOf(t.X) + "." + t.Sel.Name
	case *ast.StarExpr:
		return nameOf(t.X)
	case *ast.ArrayType:
		return nameOf(t.Elt)
	}
	return ""
}

func yamlName(field *ast.Field) string {
	tag, _ := strconv.Unquote(field.Tag.Value)
	name, _, _ := strings.Cut(reflect.StructTag(tag).Get("json"), ",")
	return name
}
