// Makes the one user that Castor has in MongoDB: it reads and writes its own database, nothing else. MongoDB's image runs this once,
// on an empty volume.
const password = require('fs').readFileSync('/run/secrets/mongo-password', 'utf8').trim();
db.getSiblingDB('castor').createUser({user: 'castor', pwd: password, roles: [{role: 'readWrite', db: 'castor'}]});
