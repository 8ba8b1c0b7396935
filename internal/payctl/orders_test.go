package payctl_test

// orders are the signatures of one body in the three orders that the provider's SDKs sort in. They were made
// with Python's hmac from the texts beside them, with the key "secret".
var orders = map[string]string{
	// a:0:0;a:1:1;a:2:2;a:3:3;a:4:4;a:5:5;a:6:6;a:7:7;a:8:8;a:9:9;a:10:10;address:x;address2:y
	"natural by path": "zegNu9vevjbz4zPfPZNEJHbx7lBij8RGJkySBFDi4iwQTGD4NqWciTkyoROE4BYcHkG2bbrMjbrynv7XtWmg/w==",
	// a:0:0;a:1:1;a:10:10;a:2:2;a:3:3;a:4:4;a:5:5;a:6:6;a:7:7;a:8:8;a:9:9;address:x;address2:y
	"by path": "JNMWBvZ+1lPWHEpO5d1qnSitEVusvNDHCgF7YL/ZHSgHv6W5h6RVgXAtP1l/4VnD7JJOrdMp5Bd6HbWYzKvNVQ==",
	// a:0:0;a:10:10;a:1:1;a:2:2;a:3:3;a:4:4;a:5:5;a:6:6;a:7:7;a:8:8;a:9:9;address2:y;address:x
	"by path and value": "u4eX3SfZLXC92vUA22LKLypq/WitZa2Lcmdq/+bCfx9uVrXGsVsDmE12rbnfN6JGoOKAVSn0PccMftaaCu4cXw==",
}
