// What a page can do more with scripts; without them everything works, by pressing a button or loading anew.
"use strict";
